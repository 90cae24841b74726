#include "fuse/request_buffers.h"

#include <algorithm>
#include <functional>

#include "base/check.h"
#include "base/log.h"
#include "fuse/protocol.h"

namespace weir::fuse {

namespace {

// Far more than workers that can be between reading a request and beginning it.
constexpr size_t kEarlyInterrupts = 4 * static_cast<size_t>(limits::kFuseWorkersMax);

}  // namespace

RequestBuffers::RequestBuffers(std::shared_ptr<SharedMemory> memory)
    : memory_(std::move(memory)),
      reserve_(std::min<size_t>(limits::kFuseWorkersMax, memory_->request_count() / 4)),
      entries_(memory_->request_count()) {
  MutexLock lock(mutex_);
  for (uint32_t buffer = 0; buffer < entries_.size(); ++buffer) inherit(buffer);
}

void RequestBuffers::inherit(uint32_t buffer) {
  const RequestState& state = memory_->request_state(buffer);
  // A buffer whose state was never written was never read into; looking at it would make memory of it.
  if (state.used.load(std::memory_order_relaxed) == 0) return free_.push_back(buffer);
  const auto& header = *reinterpret_cast<const fuse_in_header*>(memory_->request_buffer(buffer).data());
  const bool unanswered = header.len >= sizeof(header) && header.len <= limits::kFuseRequestBytes &&
                          header.unique != state.answered.load(std::memory_order_acquire);
  if (!unanswered) return free_.push_back(buffer);
  Entry& entry = entries_[buffer];
  entry.unique = header.unique;
  entry.left = true;
  entry.interrupted = state.interrupted.load(std::memory_order_acquire) == header.unique;
  ++unanswered_;
}

std::vector<RequestBuffers::Inherited> RequestBuffers::inherited() const {
  std::vector<Inherited> all;
  MutexLock lock(mutex_);
  for (uint32_t buffer = 0; buffer < entries_.size(); ++buffer)
    if (entries_[buffer].unique != 0)
      all.push_back({entries_[buffer].unique, buffer, memory_->request_state(buffer).device.load()});
  std::sort(all.begin(), all.end(), [](const Inherited& a, const Inherited& b) { return a.unique < b.unique; });
  return all;
}

uint32_t RequestBuffers::populated(uint32_t buffer) {
  bool present = false;
  {
    MutexLock lock(mutex_);
    present = std::exchange(entries_[buffer].populated, true);
  }
  // Nobody else has it now.
  if (!present) memory_->populate_request_buffer(buffer);
  memory_->request_state(buffer).used.store(1, std::memory_order_relaxed);
  return buffer;
}

void RequestBuffers::push_free(uint32_t buffer) {
  free_.push_back(buffer);
  std::push_heap(free_.begin(), free_.end(), std::greater<>());
  // The low ones are reused all the time; what a burst of waiting requests touched beyond is given back.
  if (buffer < 2 * static_cast<uint32_t>(limits::kFuseWorkersMax)) return;
  memory_->release_request_buffer(buffer);
  memory_->request_state(buffer).used.store(0, std::memory_order_relaxed);
  entries_[buffer].populated = false;
}

uint32_t RequestBuffers::pop_free() {
  CHECK(!free_.empty());
  std::pop_heap(free_.begin(), free_.end(), std::greater<>());
  const uint32_t buffer = free_.back();
  free_.pop_back();
  return buffer;
}

uint32_t RequestBuffers::acquire() {
  uint32_t buffer = 0;
  {
    MutexLock lock(mutex_);
    buffer = pop_free();
  }
  return populated(buffer);
}

void RequestBuffers::begin(uint32_t buffer, uint64_t unique) {
  MutexLock lock(mutex_);
  Entry& entry = entries_[buffer];
  entry.unique = unique;
  entry.left = entry.interrupted = false;
  ++unanswered_;
  auto early = std::find(early_interrupts_.begin(), early_interrupts_.end(), unique);
  if (early == early_interrupts_.end()) return;
  entry.interrupted = true;
  memory_->request_state(buffer).interrupted.store(unique, std::memory_order_release);
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
  uint32_t next = 0;
  {
    MutexLock lock(mutex_);
    Entry& entry = entries_[buffer];
    if (entry.unique == 0) return buffer;
    if (free_.size() <= reserve_) {
      overwritten_.emplace(entry.unique, entry.interrupted);
      entry.unique = 0;
      if (std::exchange(exhaustion_logged_, true)) return buffer;
      log::warning("{} requests wait for an answer; further ones would not survive a restart of the daemon",
                   unanswered_);
      return buffer;
    }
    entry.left = true;
    next = pop_free();
  }
  return populated(next);
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
    const auto buffer = static_cast<uint32_t>(found - entries_.begin());
    memory_->request_state(buffer).interrupted.store(unique, std::memory_order_release);
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
