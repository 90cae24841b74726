#include "cache/shared_sync.h"

namespace weir::cache {

Status SharedSync::run() {
  mutex_.lock();
  const uint64_t wanted = begun_ + 1;
  while (running_ && ended_ < wanted) finished_.wait(mutex_);
  if (ended_ < wanted) {
    running_ = true;
    const uint64_t mine = ++begun_;
    mutex_.unlock();
    Status status = action_();
    mutex_.lock();
    running_ = false;
    ended_ = mine;
    if (!status) {
      last_failed_ = mine;
      failure_ = status.error();
    }
    finished_.notify_all();
  }
  // A later failure counts for this caller too: syncs report a lost write once only.
  Status result;
  if (last_failed_ >= wanted) result = Failure(failure_);
  mutex_.unlock();
  return result;
}

}  // namespace weir::cache
