#include "fuse/channel.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "base/patience.h"
#include "fuse/caller_end.h"

namespace weir::fuse {

namespace {

// The kernel queues INIT before mount(2) returns; only a broken one lets us wait.
constexpr int kInitTimeoutMs = 30'000;

int default_spinners() { return std::max(1, static_cast<int>(std::thread::hardware_concurrency()) / 4); }

Status await_readable(int fd) {
  pollfd readable{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&readable, 1, kInitTimeoutMs);
  } while (ready < 0 && errno == EINTR);
  if (ready == 0) return error(Code::kTimeout, "the kernel did not begin to talk about the new mount");
  if (ready < 0) return errno_error(errno, "wait for the kernel's INIT request");
  return {};
}

}  // namespace

Channel::Channel(std::shared_ptr<ReplyPort> port, Handler& handler, FileDescriptor stop_event,
                 const ChannelOptions& options)
    : port_(std::move(port)),
      stop_event_(std::move(stop_event)),
      context_{port_,
               handler,
               stop_event_.get(),
               {options.spin_us * 1000, options.spinners_max > 0 ? options.spinners_max : default_spinners()}} {}

Result<std::unique_ptr<Channel>> Channel::start(std::vector<FileDescriptor> devices,
                                                std::shared_ptr<SharedMemory> memory, Handler& handler,
                                                const ChannelOptions& options) {
  CHECK(!devices.empty() && devices.size() < memory->request_count());
  FileDescriptor stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!stop_event.valid()) return errno_error(errno, "create an eventfd");
  auto port = std::make_shared<ReplyPort>(std::move(devices), std::move(memory), options.answered);
  std::unique_ptr<Channel> channel(new Channel(std::move(port), handler, std::move(stop_event), options));
  channel->inherited_ = channel->port_->buffers().inherited();
  TRY(channel->shake_hands(options));
  handler.start(channel->negotiated_);
  channel->notifier_ = std::make_unique<Notifier>(channel->port_);
  if (channel->negotiated_.has(kInitPassthrough))
    channel->backing_files_ = std::make_unique<KernelBackingFiles>(channel->port_);
  if (options.prepare) options.prepare(*channel);
  channel->postponed_ = std::make_unique<ThreadPool>("weir-outage", limits::kFuseOutageThreads, limits::kFuseSlowQueue);
  channel->port_->set_postpone([channel = channel.get()](const ReplyAddress& to) { return channel->postpone(to); });
  TRY(channel->start_workers());
  channel->redo_inherited();
  return channel;
}

Status Channel::shake_hands(const ChannelOptions& options) {
  SharedSession& session = port_->buffers().memory().session();
  if (session.negotiated.load(std::memory_order_acquire) != 0) {
    negotiated_ = {session.kernel_minor, session.minor,     session.kernel_offered,
                   session.kernel_flags, session.max_write, session.max_readahead};
    return {};
  }
  TRY(ask_kernel(options));
  session.kernel_minor = negotiated_.kernel_minor;
  session.minor = negotiated_.minor;
  session.kernel_offered = negotiated_.offered;
  session.kernel_flags = negotiated_.flags;
  session.max_write = negotiated_.max_write;
  session.max_readahead = negotiated_.max_readahead;
  session.negotiated.store(1, std::memory_order_release);
  return {};
}

Status Channel::ask_kernel(const ChannelOptions& options) {
  const int device = port_->device(0);
  std::vector<char> buffer(limits::kFuseRequestBytes);
  TRY(await_readable(device));
  const ssize_t size = ::read(device, buffer.data(), buffer.size());
  if (size < 0) return errno_error(errno, "read the kernel's INIT request");
  fuse_in_header header{};
  if (static_cast<size_t>(size) < sizeof(header))
    return error(Code::kInvalid, "the kernel's INIT request is too short");
  std::memcpy(&header, buffer.data(), sizeof(header));
  if (header.opcode != FUSE_INIT || header.len != static_cast<uint32_t>(size)) {
    return error(Code::kInvalid, "the kernel began with {} instead of INIT", opcode_name(header.opcode));
  }

  const ReplyAddress address{header.unique, header.opcode, 0, 0, reply_clock_ns()};
  port_->buffers().begin(0, header.unique);
  auto answer = negotiate({buffer.data() + sizeof(header), static_cast<size_t>(size) - sizeof(header)}, options.init);
  if (!answer) {
    port_->reply(address, EPROTO, {});
    return Failure(answer.error());
  }
  const iovec piece{&answer->out, sizeof(answer->out)};
  port_->reply(address, 0, {&piece, 1});
  negotiated_ = answer->negotiated;
  log::info("the kernel speaks FUSE 7.{}, offers {:#x}, got {:#x}", negotiated_.kernel_minor, negotiated_.offered,
            negotiated_.flags);
  return {};
}

void Channel::redo_inherited() {
  RequestBuffers& buffers = port_->buffers();
  auto size_of = [&](const RequestBuffers::Inherited& one) {
    return reinterpret_cast<const fuse_in_header*>(buffers.memory().request_buffer(one.buffer).data())->len;
  };
  auto opcode_of = [&](const RequestBuffers::Inherited& one) {
    return reinterpret_cast<const fuse_in_header*>(buffers.memory().request_buffer(one.buffer).data())->opcode;
  };
  std::vector<RequestBuffers::Inherited> awaited;
  // Before anything is done again: what was answered and not marked may have been followed by other requests, which
  // doing it twice would undo.
  for (const RequestBuffers::Inherited& one : inherited_) {
    if (one.device < port_->device_count() && port_->is_awaited(one.unique, one.device))
      awaited.push_back(one);
    else
      port_->no_reply({one.unique, opcode_of(one), 0, one.buffer, reply_clock_ns()});
  }
  // Who is to be interrupted is known before it begins to wait.
  std::stable_partition(awaited.begin(), awaited.end(),
                        [&](const auto& one) { return opcode_of(one) == FUSE_INTERRUPT; });
  for (const RequestBuffers::Inherited& one : awaited)
    Worker::serve_soon(context_, buffers.memory().request_buffer(one.buffer).first(size_of(one)), one.buffer,
                       static_cast<int>(one.device));
  if (!inherited_.empty())
    log::info("{} requests of the daemon before were done again, {} had been answered", awaited.size(),
              inherited_.size() - awaited.size());
  inherited_.clear();
}

bool Channel::postpone(const ReplyAddress& address) {
  // Left unanswered, for a successor.
  if (stopping_) return true;
  // Its buffer may be wanted for the next request.
  const char* begin = port_->buffers().memory().request_buffer(address.buffer).data();
  Bytes request(begin, reinterpret_cast<const fuse_in_header*>(begin)->len);
  return postponed_->try_submit([this, address, request = std::move(request)] { redo(address, request); });
}

void Channel::redo(const ReplyAddress& address, std::string_view request) {
  const uint32_t caller = reinterpret_cast<const fuse_in_header*>(request.data())->pid;
  // Not for any signal: the kernel speaks of those that the program ignores or handles as well, and few programs expect
  // EINTR of a call about names.
  const Patience patience([&]() -> Status {
    if (stopping_) return error(Code::kOutOfReach, "the channel ends");
    if (port_->buffers().is_interrupted(address.buffer, address.unique) && is_ending(caller))
      return error(Code::kInterrupted, "killed while waiting for a metadata server");
    return {};
  });
  Worker::serve(context_, request, address.buffer, static_cast<int>(address.device));
}

Status Channel::start_workers() {
  for (size_t index = 0; index < port_->device_count(); ++index) {
    ASSIGN_OR_RETURN(std::unique_ptr<Worker> worker, Worker::create(context_, static_cast<int>(index)));
    workers_.push_back(std::move(worker));
  }
  {
    MutexLock lock(mutex_);
    running_ = workers_.size();
  }
  for (size_t index = 0; index < workers_.size(); ++index) {
    threads_.emplace_back([this, index] { run_worker(*workers_[index], static_cast<int>(index)); });
  }
  return {};
}

void Channel::run_worker(Worker& worker, int index) {
  ::pthread_setname_np(::pthread_self(), fmt::format("weir-fuse-{}", index).c_str());
  worker.run();
  {
    MutexLock lock(mutex_);
    --running_;
  }
  ended_.notify_all();
}

void Channel::wait() {
  MutexLock lock(mutex_);
  while (running_ > 0) ended_.wait(mutex_);
}

void Channel::stop() {
  stopping_ = true;
  const uint64_t one = 1;
  CHECK(::write(stop_event_.get(), &one, sizeof(one)) == sizeof(one));
  wait();
  if (postponed_) postponed_->drain();
}

Channel::~Channel() {
  stop();
  for (std::thread& thread : threads_) thread.join();
  postponed_.reset();
  port_->set_postpone({});
}

}  // namespace weir::fuse
