#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/shared_memory.h"

namespace weir::fuse {

/// Hands the request buffers of the shared memory to workers, and keeps each with its request until that is answered:
/// a successor process finds every unanswered request in one of them. Thread-safe; never blocks for long.
class RequestBuffers {
 public:
  /// Requests that a predecessor left unanswered keep their buffers, as if their workers had left them.
  explicit RequestBuffers(std::shared_ptr<SharedMemory> memory);

  struct Inherited {
    uint64_t unique = 0;
    uint32_t buffer = 0;
    uint32_t device = 0;
  };
  /// What the predecessor left unanswered, in the order in which the kernel made them. Before anything is answered.
  std::vector<Inherited> inherited() const;

  /// A free buffer, lowest index first, with its memory present. Requires: one is free, which holds while workers
  /// number fewer than buffers.
  uint32_t acquire();
  /// The buffer now holds request `unique`, which is unanswered.
  void begin(uint32_t buffer, uint64_t unique);
  /// The answer to `unique` was given: sets the reply mark, and frees the buffer if its worker has left it.
  void answered(uint32_t buffer, uint64_t unique);
  /// The worker is done with the request. Returns the buffer it reads into next: the same one if the request was
  /// answered, otherwise another. If all are taken, it is the same one nevertheless: the unanswered request then lives
  /// in this process only, and dies with it.
  uint32_t leave(uint32_t buffer);
  /// The worker reads no more.
  void release(uint32_t buffer);

  /// Notes that the caller of `unique` got a signal. False when no unanswered request has that unique: it was answered,
  /// or another worker has read it and not begun it; then begin() will know.
  bool mark_interrupted(uint64_t unique);
  bool is_interrupted(uint32_t buffer, uint64_t unique) const;

  uint32_t unanswered() const;
  SharedMemory& memory() { return *memory_; }

 private:
  struct Entry {
    uint64_t unique = 0;  // 0: no unanswered request
    bool left = false;    // by the worker
    bool interrupted = false;
    bool populated = false;  // its memory is present in this process
  };

  void push_free(uint32_t buffer) REQUIRES(mutex_);
  uint32_t pop_free() REQUIRES(mutex_);
  void inherit(uint32_t buffer) REQUIRES(mutex_);
  uint32_t populated(uint32_t buffer);

  const std::shared_ptr<SharedMemory> memory_;
  const size_t reserve_;  // buffers for the workers of a successor, which inherits all others
  mutable Mutex mutex_;
  std::vector<Entry> entries_ GUARDED_BY(mutex_);
  std::vector<uint32_t> free_ GUARDED_BY(mutex_);                      // a heap, lowest on top
  std::unordered_map<uint64_t, bool> overwritten_ GUARDED_BY(mutex_);  // unique -> interrupted, of unanswered requests
  std::deque<uint64_t> early_interrupts_ GUARDED_BY(mutex_);
  uint32_t unanswered_ GUARDED_BY(mutex_) = 0;
  bool exhaustion_logged_ GUARDED_BY(mutex_) = false;
};

}  // namespace weir::fuse
