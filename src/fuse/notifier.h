#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/mutex.h"
#include "base/result.h"
#include "fuse/reply_port.h"

namespace weir::fuse {

/// Tells the kernel what to forget, from a thread of its own: a notification waits for locks that requests in flight
/// hold, so no thread that answers requests may send one. Calls only queue, keep their order, and never block; false
/// means that the queue is full (limits::kFuseNotifications, kFuseNotificationBytes) and the notification was dropped,
/// which is logged. Nothing cached is no error. Thread-safe.
class Notifier {
 public:
  /// Called on the notifier's thread when the kernel has taken the notification; may be empty.
  using Done = std::function<void(const Status&)>;

  explicit Notifier(std::shared_ptr<ReplyPort> port);
  /// Drops what is queued, calling each Done with Unavailable.
  ~Notifier();

  /// Attributes, and cached content from `offset` on: `length` 0 is all to the end, a negative offset is none.
  bool invalidate_inode(uint64_t node, int64_t offset, int64_t length, Done done = {});
  /// The name is looked up anew. Detaches what is mounted on it.
  bool invalidate_entry(uint64_t parent, std::string_view name, Done done = {});
  /// The name's lifetime is over; a lookup that yields the same node leaves all as it is. Kernels before 6.2 do as
  /// invalidate_entry().
  bool expire_entry(uint64_t parent, std::string_view name, Done done = {});
  /// The name is gone; watchers are told. Only if it is still `child`.
  bool delete_entry(uint64_t parent, uint64_t child, std::string_view name, Done done = {});
  /// Puts content into the kernel's cache. Requires: at most limits::kFuseIoBytes.
  bool store(uint64_t node, uint64_t offset, std::string_view bytes, Done done = {});

  /// Blocks: until all that was queued before is sent. Never from a thread that answers requests.
  void drain();
  /// The same, no longer than this. False: not all was sent.
  bool drain_for(int64_t timeout_ms);
  size_t queued() const;

 private:
  struct Message {
    int32_t code;
    std::string bytes;
    Done done;
  };

  bool push(int32_t code, std::string bytes, Done done);
  bool push_entry(uint64_t parent, std::string_view name, uint32_t flags, Done done);
  void run();
  void send(const Message& message);

  const std::shared_ptr<ReplyPort> port_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  std::deque<Message> queue_ GUARDED_BY(mutex_);
  size_t queued_bytes_ GUARDED_BY(mutex_) = 0;
  uint64_t pushed_ GUARDED_BY(mutex_) = 0;
  uint64_t sent_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
  uint64_t dropped_ GUARDED_BY(mutex_) = 0;
  std::thread thread_;
};

}  // namespace weir::fuse
