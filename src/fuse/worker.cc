#include "fuse/worker.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <exception>

#include "base/log.h"
#include "base/patience.h"
#include "fuse/wire.h"

namespace weir::fuse {

namespace {

constexpr uint32_t kDeviceReadable = 0;
constexpr uint32_t kStop = 1;

Status watch(int epoll, int fd, uint32_t events, uint32_t tag) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = tag;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) return errno_error(errno, "watch the FUSE device");
  return {};
}

void reject(const fuse_in_header& header, const char* why) {
  log::warning("malformed {} request from the kernel: {}", opcode_name(header.opcode), why);
}

/// Requests about names and attributes, and writes, which are the same when they are done twice. The others need no
/// metadata, or end what must not be left half done.
bool can_be_postponed(uint32_t opcode) {
  switch (opcode) {
    case FUSE_LOOKUP:
    case FUSE_GETATTR:
    case FUSE_SETATTR:
    case kOpStatx:
    case FUSE_READLINK:
    case FUSE_SYMLINK:
    case FUSE_MKNOD:
    case FUSE_MKDIR:
    case FUSE_UNLINK:
    case FUSE_RMDIR:
    case FUSE_RENAME:
    case FUSE_RENAME2:
    case FUSE_LINK:
    case FUSE_OPEN:
    case FUSE_WRITE:
    case FUSE_CREATE:
    case FUSE_TMPFILE:
    case FUSE_OPENDIR:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
    case FUSE_STATFS:
    case FUSE_GETXATTR:
    case FUSE_LISTXATTR:
    case FUSE_SETXATTR:
    case FUSE_REMOVEXATTR: return true;
    default: return false;
  }
}

void serve_interrupt(WorkerContext& context, const Request& request) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_interrupt_in>();
  if (reader.failed()) return reject(request.header, "its body is too short");
  if (context.port->buffers().mark_interrupted(in.unique)) context.handler.interrupt(in.unique);
}

}  // namespace

Result<std::unique_ptr<Worker>> Worker::create(WorkerContext& context, int index) {
  FileDescriptor epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!epoll.valid()) return errno_error(errno, "create an epoll descriptor");
  // Exclusive: a request wakes one sleeping worker, not all of them.
  TRY(watch(epoll.get(), context.port->device(static_cast<size_t>(index)), EPOLLIN | EPOLLEXCLUSIVE, kDeviceReadable));
  TRY(watch(epoll.get(), context.stop_event, EPOLLIN, kStop));
  return std::unique_ptr<Worker>(new Worker(context, index, std::move(epoll)));
}

Worker::Worker(WorkerContext& context, int index, FileDescriptor epoll)
    : context_(context),
      index_(index),
      device_(context.port->device(static_cast<size_t>(index))),
      epoll_(std::move(epoll)),
      buffer_(context.port->buffers().acquire()) {}

Worker::~Worker() { context_.port->buffers().release(buffer_); }

void Worker::run() {
  bool served_before = false;
  while (true) {
    switch (serve_one()) {
      case Outcome::kServed: served_before = true; break;
      case Outcome::kEnd: return;
      case Outcome::kNothing:
        // An idle volume costs no CPU: only who just served something spins.
        if (served_before && spin()) break;
        served_before = false;
        if (!sleep()) return;
        break;
    }
  }
}

bool Worker::spin() {
  const int64_t start_ns = reply_clock_ns();
  if (!spin_record_.worth_trying() || !context_.spin_gate.enter(start_ns)) return false;
  bool served = false;
  const int64_t deadline_ns = start_ns + context_.spin_gate.spin_ns();
  while (!served && reply_clock_ns() < deadline_ns) served = serve_one() == Outcome::kServed;
  context_.spin_gate.leave();
  spin_record_.add(served);
  return served;
}

bool Worker::sleep() {
  while (true) {
    epoll_event event{};
    const int ready = ::epoll_wait(epoll_.get(), &event, 1, -1);
    if (ready == 1) return event.data.u32 != kStop;
    if (ready < 0 && errno != EINTR) {
      log::error("wait for the FUSE device: {}", std::strerror(errno));
      return false;
    }
  }
}

Worker::Outcome Worker::serve_one() {
  SharedMemory& memory = context_.port->buffers().memory();
  std::span<char> buffer = memory.request_buffer(buffer_);
  memory.request_state(buffer_).device.store(static_cast<uint32_t>(index_), std::memory_order_relaxed);
  // A successor takes a header of zeros for "nothing was read".
  std::memset(buffer.data(), 0, sizeof(fuse_in_header));
  const ssize_t size = ::read(device_, buffer.data(), buffer.size());
  if (size < 0) return after_failed_read(errno);
  if (size == 0) return Outcome::kEnd;  // the fake kernel hung up
  serve(static_cast<size_t>(size));
  return Outcome::kServed;
}

Worker::Outcome Worker::after_failed_read(int error_number) {
  switch (error_number) {
    case EAGAIN: return Outcome::kNothing;
    case EINTR:
    case ENOENT: return Outcome::kServed;  // the request went away while it was read; go on with the next
    case ENODEV:
    case ECONNABORTED:
    case ECONNRESET: return Outcome::kEnd;
    default: log::error("read from the FUSE device: {}", std::strerror(error_number)); return Outcome::kEnd;
  }
}

void Worker::serve(size_t size) {
  RequestBuffers& buffers = context_.port->buffers();
  const auto& header = *reinterpret_cast<const fuse_in_header*>(buffers.memory().request_buffer(buffer_).data());
  if (size < sizeof(header)) return reject(header, "it is shorter than a header");
  if (header.unique == 0 && header.opcode != FUSE_FORGET && header.opcode != FUSE_BATCH_FORGET) {
    return reject(header, "it has no unique number");
  }
  buffers.begin(buffer_, header.unique);
  serve_soon(context_, buffers.memory().request_buffer(buffer_).first(size), buffer_, index_);
  buffer_ = buffers.leave(buffer_);
}

void Worker::serve_soon(WorkerContext& context, std::span<const char> bytes, uint32_t buffer, int device) {
  if (!can_be_postponed(reinterpret_cast<const fuse_in_header*>(bytes.data())->opcode))
    return serve(context, bytes, buffer, device);
  const Patience none([] { return Status(error(Code::kOutOfReach, "who reads requests waits for no server")); });
  serve(context, bytes, buffer, device);
}

void Worker::serve(WorkerContext& context, std::span<const char> bytes, uint32_t buffer, int device) {
  const auto& header = *reinterpret_cast<const fuse_in_header*>(bytes.data());
  Responder responder(context.port,
                      {header.unique, header.opcode, static_cast<uint32_t>(device), buffer, reply_clock_ns()});
  const Request request{header, {bytes.data() + sizeof(header), bytes.size() - sizeof(header)}, device};
  if (header.len != bytes.size()) {
    reject(header, "its length is not what was read");
    responder.fail(Code::kInvalid);
  } else if (header.opcode == FUSE_INTERRUPT) {
    responder.none();
    serve_interrupt(context, request);
  } else if (header.opcode == FUSE_NOTIFY_REPLY) {
    responder.none();
  } else if (header.opcode == FUSE_DESTROY) {
    responder.ok();
  } else if (header.opcode == FUSE_INIT) {
    reject(header, "the connection was initialized before");
    responder.fail(Code::kInvalid);
  } else {
    try {
      context.handler.handle(request, std::move(responder));
    } catch (const std::exception& exception) {
      log::error("{}: unexpected exception: {}", opcode_name(header.opcode), exception.what());
    }
  }
}

}  // namespace weir::fuse
