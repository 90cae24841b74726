#include "fuse/channel.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/log.h"

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
  auto port = std::make_shared<ReplyPort>(std::move(devices), std::move(memory));
  std::unique_ptr<Channel> channel(new Channel(std::move(port), handler, std::move(stop_event), options));
  TRY(channel->shake_hands(options));
  handler.start(channel->negotiated_);
  channel->notifier_ = std::make_unique<Notifier>(channel->port_);
  if (channel->negotiated_.has(kInitPassthrough))
    channel->backing_files_ = std::make_unique<KernelBackingFiles>(channel->port_);
  TRY(channel->start_workers());
  return channel;
}

Status Channel::shake_hands(const ChannelOptions& options) {
  if (options.negotiated) {
    negotiated_ = *options.negotiated;
    return {};
  }
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
  const uint64_t one = 1;
  CHECK(::write(stop_event_.get(), &one, sizeof(one)) == sizeof(one));
  wait();
}

Channel::~Channel() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

}  // namespace weir::fuse
