#include "daemon/daemon.h"

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <nlohmann/json.hpp>

#include "base/limits.h"
#include "base/log.h"
#include "base/size_text.h"
#include "cache/cache.h"
#include "daemon/commands/commands.h"
#include "daemon/metrics/exposition.h"
#include "daemon/metrics/status_metrics.h"
#include "daemon/mount/daemon_record.h"
#include "daemon/mount/state_paths.h"
#include "daemon/volume/format_volume.h"
#include "daemon/volume/process_identity.h"
#include "fuse/device.h"
#include "fuse/dispatcher.h"
#include "fuse/kernel_cache.h"
#include "kv/postgres/postgres_engine.h"
#include "meta/slot_pool.h"
#include "vfs/admin.h"
#include "vfs/filesystem.h"

namespace weir {

namespace {

constexpr int kLargeAllocationBytes = 1 << 20;  // and more come from the system, and go back to it
constexpr int kUnmountAttempts = 5;
constexpr int64_t kUnmountPauseMs = 100;
constexpr int64_t kForeverMs = int64_t{365} * 24 * 3600'000;

sigset_t ending_signals() {
  sigset_t ending;
  sigemptyset(&ending);
  sigaddset(&ending, SIGTERM);
  sigaddset(&ending, SIGINT);
  return ending;
}

/// On one machine the kernel learns of every change itself; a shared volume's names may be a second old.
vfs::Lifetimes lifetimes_of(const kv::Capabilities& engine) {
  if (engine.shared) return {.entry_ms = 1000, .attributes_ms = 1000, .absent_ms = 0};
  return {.entry_ms = kForeverMs, .attributes_ms = kForeverMs, .absent_ms = kForeverMs};
}

Result<FileDescriptor> watch_signals() {
  sigset_t ending = ending_signals();
  FileDescriptor fd(::signalfd(-1, &ending, SFD_CLOEXEC | SFD_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, "create a signal descriptor");
  return fd;
}

Result<FileDescriptor> make_event() {
  FileDescriptor fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd.valid()) return errno_error(errno, "create an event descriptor");
  return fd;
}

void raise_event(const FileDescriptor& event) {
  uint64_t one = 1;
  if (::write(event.get(), &one, sizeof one) < 0) log::error("an event is lost: {}", errno);
}

/// Passthrough is negotiated only if it is wanted: it limits what else the kernel does with the mount.
fuse::ChannelOptions channel_options(Passthrough passthrough) {
  fuse::ChannelOptions options;
  if (passthrough == Passthrough::kOff) return options;
  options.init.wanted |= fuse::kInitPassthrough;
  options.init.max_stack_depth = 1;
  return options;
}

std::string describe_loss(const ManifestId& image, const std::vector<ChunkId>& chunks) {
  return fmt::format("content {} lost {} chunks to a power failure before they were stored", image.hex(),
                     chunks.size());
}

}  // namespace

Status Daemon::block_signals() {
  sigset_t ending = ending_signals();
  ::signal(SIGHUP, SIG_IGN);
  if (int failure = ::pthread_sigmask(SIG_BLOCK, &ending, nullptr); failure != 0)
    return errno_error(failure, "block signals");
  return {};
}

Result<std::unique_ptr<Daemon>> Daemon::start(const MountConfig& config, DaemonLink& link,
                                              DaemonLink::Beginning beginning) {
  // Without it each of glibc's heaps, several a core, keeps some buffers of chunks for ever.
  ::mallopt(M_MMAP_THRESHOLD, kLargeAllocationBytes);
  const bool resumes = !beginning.kept.empty();
  if (!resumes) TRY(check_mount_config(config));
  std::unique_ptr<Daemon> daemon(new Daemon(config, link));
  if (!beginning.note.empty()) daemon->reports_.push_back(beginning.note);
  ASSIGN_OR_RETURN(daemon->signals_, watch_signals());
  ASSIGN_OR_RETURN(daemon->asked_, make_event());
  ASSIGN_OR_RETURN(daemon->unmounted_, make_event());
  TRY(daemon->open_memory(beginning));
  TRY(daemon->open_parts());
  TRY(daemon->open_network());
  TRY(daemon->start_filesystem());
  if (!resumes) TRY(daemon->mount_volume());
  TRY(daemon->start_channel());
  TRY(daemon->start_control());
  TRY(daemon->start_network());
  log::info("volume {} {} at {}: metadata {}, store {}, cache {}", daemon->opened_->volume->settings().name,
            resumes ? "goes on" : "is mounted", config.mount_point, config.metadata.display,
            daemon->opened_->store->describe(), daemon->opened_->cache_directory);
  return daemon;
}

Daemon::Daemon(MountConfig config, DaemonLink& link)
    : config_(std::move(config)), link_(link), started_ns_(SystemClock().realtime_ns()) {}

/// Of a predecessor: the shared memory file, and the devices in their order.
Status Daemon::open_memory(DaemonLink::Beginning& beginning) {
  if (beginning.kept.empty()) {
    ASSIGN_OR_RETURN(memory_, SharedMemory::create());
    return {};
  }
  if (beginning.kept.size() < 2) return error(Code::kInvalid, "the supervisor has lost the mount's descriptors");
  ASSIGN_OR_RETURN(memory_, SharedMemory::attach(std::move(beginning.kept.front())));
  for (size_t i = 1; i < beginning.kept.size(); ++i) devices_.push_back(std::move(beginning.kept[i]));
  return {};
}

Status Daemon::open_parts() {
  ASSIGN_OR_RETURN(opened_, open_volume({.metadata = config_.metadata,
                                         .mount_point = config_.mount_point,
                                         .cache_directory = config_.cache_directory,
                                         .zone = config_.zone,
                                         .goes_on = !devices_.empty()}));
  opened_->lease->keep([this] { ask_to_end(); });
  if (opened_->engine->capabilities().shared) {
    members_ = std::make_unique<cluster::Members>(*opened_->engine, opened_->node, opened_->clock);
    members_->on_death([this](const cluster::Member& dead) { let_go_of_locks(dead); });
    members_->start();
  }
  const std::optional<NodeInfo>& previous = opened_->previous;
  if (previous && !previous->cache_directory.empty() && previous->cache_directory != opened_->cache_directory)
    log::warning("{}", reports_.emplace_back(fmt::format(
                           "the cache directory was {} on {} before; content that was not stored yet is still there",
                           previous->cache_directory, previous->host)));
  return open_cache();
}

Status Daemon::open_cache() {
  cache::Options options;
  options.directory = opened_->cache_directory;
  options.volume_id = opened_->volume->settings().volume_id;
  options.size_bytes_max = config_.cache_bytes_max;
  options.reserve_bytes = config_.reserve_bytes;
  TRY(check_outside_mounts(options.directory, "cache directory"));
  auto cache =
      cache::Cache::open(options, opened_->clock, [this](const ManifestId& image, const std::vector<ChunkId>& chunks) {
        log::error("{}", reports_.emplace_back(describe_loss(image, chunks)));
      });
  if (!cache && cache.error().what.starts_with("cache directory ")) return Failure(cache.error());
  if (!cache)
    return error(cache.error().code, "cannot use cache directory {}: {}", options.directory, cache.error().what);
  cache_ = std::move(*cache);
  return {};
}

/// Before the filesystem, which asks other nodes.
Status Daemon::open_network() {
  const bool shared = opened_->engine->capabilities().shared;
  const std::string previous = opened_->previous ? opened_->previous->address : "";
  ASSIGN_OR_RETURN(auto wanted,
                   listen_address(config_.listen, config_.advertise, config_.metadata.url, shared, previous));
  if (shared || wanted)
    peering_ = std::make_unique<Peering>(opened_->node, opened_->volume->settings(), *cache_, members_.get(),
                                         opened_->clock, opened_->random);
  if (!wanted) return {};
  ASSIGN_OR_RETURN(address_, peering_->listen(*wanted));
  return {};
}

/// Last, as it may be asked for everything at once.
Status Daemon::start_network() {
  if (!address_.empty()) {
    Peering::Pages pages;
    pages.metrics = [this] {
      auto status = run_status(*this);
      return status ? status_metrics(*status) : std::string();
    };
    pages.metrics_type = kExpositionContentType;
    if (!config_.metrics_token.empty()) {
      ASSIGN_OR_RETURN(pages.metrics_token, read_token(config_.metrics_token));
    }
    TRY(peering_->start(std::move(pages)));
    log::info("this is node {}, which others reach at {}", opened_->node.value, address_);
  }
  if (opened_->lease->info().address == address_) return {};
  return opened_->lease->use_address(address_);
}

Status Daemon::start_filesystem() {
  ASSIGN_OR_RETURN(std::string directory, runtime_directory());
  remove_dead_sockets(directory);
  control_path_ =
      fmt::format("{}/{}-{}.sock", directory, opened_->volume->settings().volume_id.substr(0, 12), ::getpid());
  vfs::FilesystemOptions options;
  options.lifetimes = lifetimes_of(opened_->engine->capabilities());
  options.control_path = control_path_;
  options.read_timeout_ms = config_.read_timeout_ms;
  options.upload_bytes_per_second = config_.upload_bytes_per_second;
  options.durability = config_.durability.value_or(opened_->volume->settings().durability);
  opened_->store->set_read_patience_ms(config_.read_timeout_ms);
  options.wait_when_full = config_.wait_when_full;
  options.memory = memory_;
  if (members_) options.peers = &peering_->client();
  if (members_) options.messenger = &peering_->messenger();
  ASSIGN_OR_RETURN(options.shared_locks, shares_locks(config_, opened_->engine->capabilities().shared));
  // Before anything can write over what a predecessor did and could not tell.
  std::vector<uint64_t> unanswered;
  for (const auto& one : fuse::RequestBuffers(memory_).inherited())
    unanswered.push_back(memory_->session().request_base + one.unique);
  opened_->volume->slots().hold_outcomes(unanswered);
  ASSIGN_OR_RETURN(filesystem_, vfs::Filesystem::start(*opened_->volume, *cache_, *opened_->store, options));
  std::vector<cluster::Member> dead;
  {
    MutexLock lock(mutex_);
    takes_locks_ = filesystem_.get();
    dead.swap(dead_);
  }
  for (const cluster::Member& one : dead) let_go_of_locks(one);
  return {};
}

/// Of a node that was found dead, perhaps before there is a filesystem here, or while it ends.
void Daemon::let_go_of_locks(const cluster::Member& dead) {
  MutexLock lock(mutex_);
  if (takes_locks_ != nullptr)
    takes_locks_->node_died(dead.id, dead.info.epoch);
  else
    dead_.push_back(dead);
}

Status Daemon::mount_volume() {
  fuse::MountOptions options;
  options.mount_point = config_.mount_point;
  options.volume = opened_->volume->settings().name;
  options.allow_other = allow_other_of(config_);
  options.over_files = config_.over_files;
  ASSIGN_OR_RETURN(FileDescriptor device, fuse::mount(options));
  TRY(opened_->lease->use_cache(opened_->cache_directory));
  auto mount = fuse::covering_mount(fuse::read_mounts(), config_.mount_point);
  memory_->session().mount_device = uint64_t{mount ? mount->device_minor : 0} + 1;
  {
    MutexLock lock(mutex_);
    mount_device_ = mount ? mount->device_minor : 0;
  }
  int workers = config_.workers > 0 ? config_.workers : fuse::default_workers();
  ASSIGN_OR_RETURN(devices_, fuse::open_devices(std::move(device), workers));
  std::vector<int> kept = {memory_->fd()};
  for (const FileDescriptor& one : devices_) kept.push_back(one.get());
  return link_.keep(kept);
}

Status Daemon::start_channel() {
  const bool resumes = memory_->session().negotiated != 0;
  handler_ = std::make_unique<fuse::Dispatcher>(*filesystem_);
  fuse::ChannelOptions options = channel_options(config_.passthrough);
  options.answered = [&slots = opened_->volume->slots(), base = filesystem_->request_base()](uint64_t unique) {
    slots.answered(base + unique);
  };
  // A successor is asked at once to open what the kernel reads by itself.
  options.prepare = [this](fuse::Channel& channel) {
    kernel_cache_ = std::make_unique<fuse::NotifiedKernelCache>(channel.notifier());
    filesystem_->connect(
        {kernel_cache_.get(), channel.backing_files(), channel.negotiated().has(fuse::kInitDirectIoAllowMmap)});
  };
  ASSIGN_OR_RETURN(channel_, fuse::Channel::start(std::move(devices_), memory_, *handler_, options));
  TRY(check_passthrough());
  channel_watcher_ = std::thread([this] { watch_channel(); });
  if (!resumes && !fuse::raise_read_ahead(config_.mount_point))
    log::info("the kernel's read-ahead stays as it is, as this user may not raise it");
  // Only now may this process unmount it.
  MutexLock lock(mutex_);
  mount_device_ = static_cast<unsigned>(memory_->session().mount_device - 1);
  return {};
}

Status Daemon::check_passthrough() {
  if (channel_->backing_files() != nullptr || config_.passthrough == Passthrough::kOff) return {};
  const std::string why = "this kernel cannot read files past the daemon (FUSE passthrough, Linux 6.9 or newer)";
  if (config_.passthrough == Passthrough::kOn)
    return error(Code::kUnsupported, "{}; mount with --passthrough auto", why);
  log::info("{}; every read goes through the daemon", why);
  return {};
}

Status Daemon::start_control() {
  ASSIGN_OR_RETURN(control_,
                   ControlServer::start(control_path_, [this](const Json& request, const ReportProgress& progress) {
                     return run_command(*this, request, progress);
                   }));
  return write_record();
}

Status Daemon::write_record() {
  if (!config_.metadata.embedded()) return {};
  return write_daemon_record(config_.metadata.directory,
                             {::getpid(), control_path_, config_.mount_point, identity_of(link_.supervisor())});
}

void Daemon::supervisor_replaced() {
  if (Status written = write_record(); !written) log::warning("{}", written.error().what);
}

void Daemon::watch_channel() {
  ::pthread_setname_np(::pthread_self(), "channel-end");
  channel_->wait();
  raise_event(unmounted_);
}

void Daemon::ask_to_end() { raise_event(asked_); }

Daemon::Wake Daemon::wait(int64_t timeout_ms) {
  pollfd entries[3] = {{unmounted_.get(), POLLIN, 0}, {signals_.get(), POLLIN, 0}, {asked_.get(), POLLIN, 0}};
  int ready;
  do {
    ready = ::poll(entries, 3, static_cast<int>(timeout_ms));
  } while (ready < 0 && errno == EINTR);
  if (ready <= 0) return Wake::kTimeout;
  if (entries[0].revents != 0) return Wake::kUnmounted;
  signalfd_siginfo signal{};
  uint64_t count = 0;
  if (::read(signals_.get(), &signal, sizeof signal) == sizeof signal) {
    log::info("got signal {} from process {}", signal.ssi_signo, signal.ssi_pid);
    return Wake::kSignal;
  }
  return ::read(asked_.get(), &count, sizeof count) == sizeof count ? Wake::kAsked : Wake::kTimeout;
}

Status Daemon::unmount(fuse::UnmountMode mode) {
  MutexLock lock(mutex_);
  auto mount = fuse::covering_mount(fuse::read_mounts(), config_.mount_point);
  bool ours =
      mount_device_ && mount && mount->mount_point == config_.mount_point && mount->device_minor == *mount_device_;
  if (!ours) return error(Code::kNotFound, "the volume is not mounted at {} any more", config_.mount_point);
  TRY(fuse::unmount(config_.mount_point, mode));
  mount_device_.reset();
  return {};
}

void Daemon::serve() {
  if (wait(-1) == Wake::kUnmounted)
    log::info("{} was unmounted", config_.mount_point);
  else
    unmount_or_detach();
}

void Daemon::unmount_or_detach() {
  Status unmounted;
  for (int attempt = 0; attempt < kUnmountAttempts; ++attempt) {
    if (attempt > 0) opened_->clock.sleep_ms(kUnmountPauseMs);
    unmounted = unmount(fuse::UnmountMode::kClean);
    if (unmounted || unmounted.error().code != Code::kBusy) break;
  }
  if (!unmounted && unmounted.error().code == Code::kBusy) {
    log::warning("{} is in use; it is detached, and what is open is served for {} s more", config_.mount_point,
                 limits::kDetachedMs / 1000);
    unmounted = unmount(fuse::UnmountMode::kLazy);
  }
  if (!unmounted && unmounted.error().code != Code::kNotFound) log::error("{}", unmounted.error().what);
  if (wait(limits::kDetachedMs) != Wake::kUnmounted)
    log::warning("files are still open; their users get errors from now on");
}

Daemon::~Daemon() {
  // Whoever waits for metadata now would hold up the end for as long as its server is away.
  if (opened_) kv::stop_waiting_for_server(*opened_->engine);
  if (config_.metadata.embedded() && control_) remove_daemon_record(config_.metadata.directory);
  control_.reset();
  if (peering_) peering_->stop();
  if (filesystem_) filesystem_->stop_waiting();
  // Still mounted only after a start that failed, or an unmount that did: nothing may be left that does not answer.
  Status unmounted = unmount(fuse::UnmountMode::kLazy);
  if (!unmounted && unmounted.error().code != Code::kNotFound) log::error("{}", unmounted.error().what);
  if (filesystem_) filesystem_->connect({});
  if (channel_) channel_->stop();
  if (channel_watcher_.joinable()) channel_watcher_.join();
  bool served = channel_ != nullptr;
  channel_.reset();
  handler_.reset();
  if (opened_) opened_->store->stop();
  uint64_t left_bytes = filesystem_ ? vfs::status(*filesystem_).upload.backlog_bytes : 0;
  {
    MutexLock lock(mutex_);
    takes_locks_ = nullptr;
  }
  filesystem_.reset();
  peering_.reset();
  cache_.reset();
  members_.reset();
  opened_.reset();
  if (left_bytes > 0)
    log::info("{} are not in the object store yet; the next mount goes on with them", format_bytes(left_bytes));
  if (served) log::info("the daemon of {} ends", config_.mount_point);
}

}  // namespace weir
