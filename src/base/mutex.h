#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <shared_mutex>

#if defined(__clang__)
#define WEIR_ATTRIBUTE(x) __attribute__((x))
#else
#define WEIR_ATTRIBUTE(x)
#endif

/// Checked by clang -Wthread-safety (https://clang.llvm.org/docs/ThreadSafetyAnalysis.html).
#define CAPABILITY(x) WEIR_ATTRIBUTE(capability(x))
#define SCOPED_CAPABILITY WEIR_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(x) WEIR_ATTRIBUTE(guarded_by(x))
#define REQUIRES(...) WEIR_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) WEIR_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) WEIR_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) WEIR_ATTRIBUTE(release_capability(__VA_ARGS__))
#define ACQUIRE_SHARED(...) WEIR_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define RELEASE_SHARED(...) WEIR_ATTRIBUTE(release_shared_capability(__VA_ARGS__))
#define NO_THREAD_SAFETY_ANALYSIS WEIR_ATTRIBUTE(no_thread_safety_analysis)

namespace weir {

/// A lock. The order in which locks are taken is in docs/locks.md.
class CAPABILITY("mutex") Mutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class SCOPED_CAPABILITY MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~MutexLock() RELEASE() { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

/// A lock that many may share who only read.
class CAPABILITY("mutex") SharedMutex {
 public:
  void lock() ACQUIRE() { mutex_.lock(); }
  void unlock() RELEASE() { mutex_.unlock(); }
  void lock_shared() ACQUIRE_SHARED() { mutex_.lock_shared(); }
  void unlock_shared() RELEASE_SHARED() { mutex_.unlock_shared(); }

 private:
  std::shared_mutex mutex_;
};

class SCOPED_CAPABILITY WriterLock {
 public:
  explicit WriterLock(SharedMutex& mutex) ACQUIRE(mutex) : mutex_(mutex) { mutex_.lock(); }
  ~WriterLock() RELEASE() { mutex_.unlock(); }
  WriterLock(const WriterLock&) = delete;
  WriterLock& operator=(const WriterLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class SCOPED_CAPABILITY ReaderLock {
 public:
  explicit ReaderLock(SharedMutex& mutex) ACQUIRE_SHARED(mutex) : mutex_(mutex) { mutex_.lock_shared(); }
  ~ReaderLock() RELEASE() { mutex_.unlock_shared(); }
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

 private:
  SharedMutex& mutex_;
};

class ConditionVariable {
 public:
  /// Blocks: until notified or woken for no reason; callers loop over their condition.
  void wait(Mutex& mutex) REQUIRES(mutex) { condition_.wait(mutex); }
  /// False when the time ran out.
  bool wait_for_ms(Mutex& mutex, int64_t timeout_ms) REQUIRES(mutex) {
    return condition_.wait_for(mutex, std::chrono::milliseconds(timeout_ms)) == std::cv_status::no_timeout;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

}  // namespace weir
