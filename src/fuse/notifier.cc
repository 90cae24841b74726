#include "fuse/notifier.h"

#include <pthread.h>

#include <chrono>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"

namespace weir::fuse {

namespace {

template <class T>
std::string raw(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_name(std::string* bytes, std::string_view name) {
  bytes->append(name);
  bytes->push_back('\0');
}

}  // namespace

Notifier::Notifier(std::shared_ptr<ReplyPort> port) : port_(std::move(port)), thread_([this] { run(); }) {}

Notifier::~Notifier() {
  std::deque<Message> unsent;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    unsent.swap(queue_);
  }
  changed_.notify_all();
  thread_.join();
  for (const Message& message : unsent) {
    if (message.done) message.done(error(Code::kUnavailable, "the volume is being unmounted"));
  }
}

bool Notifier::invalidate_inode(uint64_t node, int64_t offset, int64_t length, Done done) {
  fuse_notify_inval_inode_out out{};
  out.ino = node;
  out.off = offset;
  out.len = length;
  return push(FUSE_NOTIFY_INVAL_INODE, raw(out), std::move(done));
}

bool Notifier::push_entry(uint64_t parent, std::string_view name, uint32_t flags, Done done) {
  fuse_notify_inval_entry_out out{};
  out.parent = parent;
  out.namelen = static_cast<uint32_t>(name.size());
  out.flags = flags;
  std::string bytes = raw(out);
  append_name(&bytes, name);
  return push(FUSE_NOTIFY_INVAL_ENTRY, std::move(bytes), std::move(done));
}

bool Notifier::invalidate_entry(uint64_t parent, std::string_view name, Done done) {
  return push_entry(parent, name, 0, std::move(done));
}

bool Notifier::expire_entry(uint64_t parent, std::string_view name, Done done) {
  return push_entry(parent, name, kExpireOnly, std::move(done));
}

bool Notifier::delete_entry(uint64_t parent, uint64_t child, std::string_view name, Done done) {
  fuse_notify_delete_out out{};
  out.parent = parent;
  out.child = child;
  out.namelen = static_cast<uint32_t>(name.size());
  std::string bytes = raw(out);
  append_name(&bytes, name);
  return push(FUSE_NOTIFY_DELETE, std::move(bytes), std::move(done));
}

bool Notifier::store(uint64_t node, uint64_t offset, std::string_view content, Done done) {
  CHECK(content.size() <= limits::kFuseIoBytes);
  fuse_notify_store_out out{};
  out.nodeid = node;
  out.offset = offset;
  out.size = static_cast<uint32_t>(content.size());
  std::string bytes = raw(out);
  bytes.append(content);
  return push(FUSE_NOTIFY_STORE, std::move(bytes), std::move(done));
}

bool Notifier::push(int32_t code, std::string bytes, Done done) {
  {
    MutexLock lock(mutex_);
    if (stopping_) return false;
    if (queue_.size() >= limits::kFuseNotifications || queued_bytes_ + bytes.size() > limits::kFuseNotificationBytes) {
      if (dropped_++ == 0)
        log::error("the queue of notifications to the kernel is full; names may be stale for a while");
      return false;
    }
    dropped_ = 0;
    ++pushed_;
    queued_bytes_ += bytes.size();
    queue_.push_back({code, std::move(bytes), std::move(done)});
  }
  changed_.notify_all();
  return true;
}

void Notifier::run() {
  ::pthread_setname_np(::pthread_self(), "weir-notify");
  while (true) {
    Message message;
    {
      MutexLock lock(mutex_);
      while (queue_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      message = std::move(queue_.front());
      queue_.pop_front();
      queued_bytes_ -= message.bytes.size();
    }
    send(message);
    {
      MutexLock lock(mutex_);
      ++sent_;
    }
    changed_.notify_all();
  }
}

void Notifier::send(const Message& message) {
  const iovec piece{const_cast<char*>(message.bytes.data()), message.bytes.size()};
  Status sent = port_->notify(message.code, {&piece, 1});
  if (!sent && sent.error().code == Code::kNotFound) sent = {};
  if (message.done) message.done(sent);
}

void Notifier::drain() {
  MutexLock lock(mutex_);
  const uint64_t goal = pushed_;
  while (sent_ < goal && !stopping_) changed_.wait(mutex_);
}

bool Notifier::drain_for(int64_t timeout_ms) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(timeout_ms);
  MutexLock lock(mutex_);
  const uint64_t goal = pushed_;
  while (sent_ < goal && !stopping_) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    changed_.wait_for_ms(mutex_, left.count());
  }
  return true;
}

size_t Notifier::queued() const {
  MutexLock lock(mutex_);
  return pushed_ - sent_;
}

}  // namespace weir::fuse
