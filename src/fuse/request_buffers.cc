#include "fuse/request_buffers.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/log.h"

namespace weir::fuse {

namespace {

// Far more than workers that can be between reading a request and beginning it.
constexpr size_t kEarlyInterrupts = 4 * static_cast<size_t>(limits::kFuseWorkersMax);

}  // namespace

RequestBuffers::RequestBuffers(std::shared_ptr<SharedMemory> memory)
    : memory_(std::move(memory)), entries_(memory_->request_count()) {
  for (uint32_t buffer = 0; buffer < entries_.size(); ++buffer) free_.push_back(buffer);
}

void RequestBuffers::push_free(uint32_t buffer) {
  free_.push_back(buffer);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
  // The low ones are reused all the time; what a burst of waiting requests touched beyond is given back.
  if (buffer >= 2 * static_cast<uint32_t>(limits::kFuseWorkersMax)) memory_->release_request_buffer(buffer);
}

uint32_t RequestBuffers::pop_free() {
  CHECK(!free_.empty());
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const uint32_t buffer = free_.back();
  free_.pop_back();
  return buffer;
}

uint32_t RequestBuffers::acquire() {
  MutexLock lock(mutex_);
  return pop_free();
}

void RequestBuffers::begin(uint32_t buffer, uint64_t unique) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[buffer];
  entry = Entry{unique, false, false};
  ++unanswered_;
  auto early = std::find(early_interrupts_.begin(), early_interrupts_.end(), unique);
  if (early == early_interrupts_.end()) return;
  entry.interrupted = true;
  early_interrupts_.erase(early);
}

void RequestBuffers::answered(uint32_t buffer, uint64_t unique) {
  MutexLock lock(mutex_);
  --unanswered_;
  Entry& entry = entries_[buffer];
  if (entry.unique != unique) {
    overwritten_.erase(unique);
    return;
  }
  memory_->request_state(buffer).answered.store(unique, std::memory_order_release);
  entry.unique = 0;
  if (entry.left) {
    entry.left = false;
    push_free(buffer);
  }
}

uint32_t RequestBuffers::leave(uint32_t buffer) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[buffer];
  if (entry.unique == 0) return buffer;
  if (!free_.empty()) {
    entry.left = true;
    return pop_free();
  }
  overwritten_.emplace(entry.unique, entry.interrupted);
  entry.unique = 0;
  if (!exhaustion_logged_) {
    exhaustion_logged_ = true;
    log::warning("{} requests wait for an answer; further ones would not survive a restart of the daemon", unanswered_);
  }
  return buffer;
}

void RequestBuffers::release(uint32_t buffer) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[buffer];
  if (entry.unique != 0) {
    entry.left = true;
  } else {
    push_free(buffer);
  }
}

bool RequestBuffers::mark_interrupted(uint64_t unique) {
  MutexLock lock(mutex_);
  auto found =
      std::find_if(entries_.begin(), entries_.end(), [unique](const Entry& entry) { return entry.unique == unique; });
  if (found != entries_.end()) {
    found->interrupted = true;
    return true;
  }
  auto overwritten = overwritten_.find(unique);
  if (overwritten != overwritten_.end()) {
    overwritten->second = true;
    return true;
  }
  if (early_interrupts_.size() == kEarlyInterrupts) early_interrupts_.pop_front();
  early_interrupts_.push_back(unique);
  return false;
}

bool RequestBuffers::is_interrupted(uint32_t buffer, uint64_t unique) const {
  MutexLock lock(mutex_);
  const Entry& entry = entries_[buffer];
  if (entry.unique == unique) return entry.interrupted;
  auto overwritten = overwritten_.find(unique);
  return overwritten != overwritten_.end() && overwritten->second;
}

uint32_t RequestBuffers::unanswered() const {
  MutexLock lock(mutex_);
  return unanswered_;
}

}  // namespace weir::fuse
