#include "base/thread_pool.h"

#include <pthread.h>

namespace weir {

ThreadPool::ThreadPool(std::string name, size_t threads, size_t queue_max)
    : name_(std::move(name)), queue_max_(queue_max) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this, i] { run(i); });
}

ThreadPool::~ThreadPool() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ThreadPool::submit(std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    while (queue_.size() >= queue_max_) space_.wait(mutex_);
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
}

bool ThreadPool::try_submit(std::function<void()> job) {
  {
    MutexLock lock(mutex_);
    if (queue_.size() >= queue_max_) return false;
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
  return true;
}

void ThreadPool::drain() {
  MutexLock lock(mutex_);
  while (!queue_.empty() || running_ > 0) space_.wait(mutex_);
}

size_t ThreadPool::pending() const {
  MutexLock lock(mutex_);
  return queue_.size() + running_;
}

void ThreadPool::run(size_t /*index*/) {
  pthread_setname_np(pthread_self(), name_.c_str());
  while (true) {
    std::function<void()> job;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) work_.wait(mutex_);
      if (queue_.empty()) return;
      job = std::move(queue_.front());
      queue_.pop_front();
      ++running_;
    }
    job();
    job = nullptr;
    {
      MutexLock lock(mutex_);
      --running_;
    }
    space_.notify_all();
  }
}

}  // namespace weir
