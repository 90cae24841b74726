#include "vfs/filler.h"

#include <pthread.h>

#include <algorithm>

#include "base/log.h"

namespace weir::vfs {

Filler::Filler(Fetcher& fetcher, size_t threads) : fetcher_(fetcher) {
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { run(); });
}

Filler::~Filler() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& job : jobs_) job->ended = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Filler::start(const std::shared_ptr<cache::Image>& image, uint64_t index) {
  if (image->complete()) return;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    if (auto job = find(image.get())) {
      job->next = index;
      job->looked_at = 0;
      return;
    }
    auto job = std::make_shared<Job>();
    job->image = image;
    job->next = index;
    jobs_.push_back(std::move(job));
  }
  changed_.notify_all();
}

Status Filler::wait(const std::shared_ptr<cache::Image>& image) {
  std::shared_ptr<Job> job;
  {
    MutexLock lock(mutex_);
    job = find(image.get());
    while (job && !job->ended) changed_.wait(mutex_);
  }
  if (image->complete()) return {};
  if (job && !job->outcome) return job->outcome;
  return error(Code::kUnavailable, "image {} still lacks {} chunks", image->id().hex(), image->missing_chunks());
}

size_t Filler::running() const {
  MutexLock lock(mutex_);
  return jobs_.size();
}

std::shared_ptr<Filler::Job> Filler::find(const cache::Image* image) {
  for (auto& job : jobs_)
    if (job->image.get() == image) return job;
  return nullptr;
}

std::shared_ptr<Filler::Job> Filler::take(uint64_t& index) {
  for (auto& job : jobs_) {
    uint64_t count = job->image->manifest().chunks.size();
    while (!job->ended && job->looked_at < count) {
      index = job->next % count;
      job->next = index + 1;
      ++job->looked_at;
      if (!job->image->has(index)) return job;
    }
  }
  return nullptr;
}

void Filler::finish(const std::shared_ptr<Job>& job, const Status& outcome) {
  if (!outcome && job->outcome) {
    job->outcome = outcome;
    job->ended = true;
  }
  bool all_looked_at = job->looked_at >= job->image->manifest().chunks.size();
  if (job->active > 0 || (!job->ended && !all_looked_at)) return;
  job->ended = true;
  jobs_.erase(std::remove(jobs_.begin(), jobs_.end(), job), jobs_.end());
  changed_.notify_all();
}

void Filler::run() {
  pthread_setname_np(pthread_self(), "weir-fill");
  while (true) {
    std::shared_ptr<Job> job;
    uint64_t index = 0;
    {
      MutexLock lock(mutex_);
      while (!stopping_ && !(job = take(index))) {
        if (!jobs_.empty() && jobs_.front()->active == 0 && jobs_.front()->looked_at > 0) {
          finish(std::shared_ptr<Job>(jobs_.front()), {});
          continue;
        }
        changed_.wait(mutex_);
      }
      if (stopping_) return;
      ++job->active;
    }
    const Status outcome = fetcher_.fill(*job->image, index);
    // What waits for a holder is brought by whoever reads it.
    if (!outcome && outcome.error().code != Code::kWouldBlock)
      log::warning("fill of image {} stopped: {}", job->image->id().hex(), outcome.error().what);
    MutexLock lock(mutex_);
    --job->active;
    finish(job, outcome);
  }
}

}  // namespace weir::vfs
