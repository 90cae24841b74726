#include "cli/mount_options.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <filesystem>

#include "base/limits.h"
#include "base/log.h"
#include "base/size_text.h"
#include "cli/option_checks.h"
#include "fuse/mount.h"

namespace weir::cli {

namespace {

constexpr uint64_t kCacheBytesMin = 64u << 20;
constexpr int64_t kReadTimeoutMinMs = 1000;
constexpr uint64_t kUploadLimitMin = 1024;

log::Level level_of(const std::string& name) {
  if (name == "debug") return log::Level::kDebug;
  if (name == "warning") return log::Level::kWarning;
  if (name == "error") return log::Level::kError;
  return log::Level::kInfo;
}

Passthrough passthrough_of(const std::string& name) {
  if (name == "on") return Passthrough::kOn;
  return name == "off" ? Passthrough::kOff : Passthrough::kAuto;
}

LockReach lock_reach_of(const std::string& name) {
  if (name == "local") return LockReach::kLocal;
  return name == "shared" ? LockReach::kShared : LockReach::kAuto;
}

std::string absolute_or_empty(const std::string& path) { return path.empty() ? "" : fuse::lexically_absolute(path); }

}  // namespace

void MountOptions::add_to(CLI::App& app) {
  app.add_option("--cache-dir", cache_directory_,
                 "Directory on a fast local disk for the node's cache. It holds content that is not stored yet, so it "
                 "must not be lost. Default: the one used last, or one below Weir's state directory.")
      ->type_name("DIR")
      ->check(not_empty("the directory"));
  app.add_option("--zone", zone_,
                 "Name of the group of machines with a fast network between them that this one belongs to, such as a "
                 "datacenter. Of use where metadata are shared. Default: the group without a name.")
      ->type_name("NAME")
      ->check(not_empty("the zone"));
  app.add_option(
         "--listen", listen_,
         "Address and port of this machine, in numbers, at which its HTTP server answers other nodes and "
         "programs that read metrics, or none. Default: none for embedded metadata; for shared ones the address "
         "from which the database is reached, and any free port.")
      ->type_name("ADDR:PORT")
      ->check(network_address());
  app.add_option("--advertise", advertise_,
                 "What other nodes are told instead, where they reach this machine by another address.")
      ->type_name("ADDR:PORT")
      ->check(network_address());
  app.add_option("--metrics-token-file", metrics_token_,
                 "File with a secret. Programs on other machines that send it (Authorization: Bearer) get /metrics of "
                 "the HTTP server; those on this machine always do.")
      ->type_name("FILE")
      ->check(not_empty("the file name"));
  app.add_option("--cache-size", cache_size_,
                 "Most that stored content may take in the cache, such as 500GiB or 2TB. Default: what the disk has "
                 "beyond the reserve.")
      ->type_name("SIZE")
      ->check(size_of_at_least(kCacheBytesMin));
  app.add_option("--cache-reserve", cache_reserve_,
                 "Space on the cache's disk that is never used. Default: 5 % of the disk, 10 GiB at most.")
      ->type_name("SIZE")
      ->check(size_of_at_least(0));
  app.add_option("--read-timeout", read_timeout_,
                 "How long a read waits for content that is out of reach before it fails. Default: 60s.")
      ->type_name("TIME")
      ->check(duration_of_at_least(kReadTimeoutMinMs));
  app.add_option("--when-full", when_full_,
                 "What a write gets when the cache's disk is full of content that is not stored yet: enospc, the "
                 "error, or wait, until uploads have made room; a signal ends the wait. Default: enospc.")
      ->type_name("WHAT")
      ->check(one_of({"enospc", "wait"}));
  app.add_option(
         "--durability", durability_,
         "How safe a file is when fsync returns: local, zone or stored; see weir format. Default: the volume's.")
      ->type_name("STATE")
      ->check(one_of({"local", "zone", "stored"}));
  app.add_option("--upload-limit", upload_limit_,
                 "Most that is sent to the object store in a second, such as 200MiB. Default: no limit.")
      ->type_name("SIZE")
      ->check(size_of_at_least(kUploadLimitMin));
  app.add_flag(
      "--foreground", foreground_,
      "Do not go into the background; for service managers, which are told when the mount is ready (sd_notify).");
  app.add_option("--log-file", log_file_,
                 "Where the daemon logs. Default: weir.log in the state directory, standard error with --foreground.")
      ->type_name("FILE")
      ->check(not_empty("the file name"));
  app.add_option("--log-level", log_level_, "debug, info, warning or error. Default: info.")
      ->type_name("LEVEL")
      ->check(one_of({"debug", "info", "warning", "error"}));
  auto* allow = app.add_flag("--allow-other", allow_other_,
                             "Let other users use the mount, as far as permissions of files allow. Default for root, "
                             "and where /etc/fuse.conf has user_allow_other.");
  app.add_flag("--no-allow-other", no_allow_other_, "Only this user may use the mount.")->excludes(allow);
  app.add_option("--workers", workers_, "Threads that answer the kernel. Default: one a core, at least 2, at most 8.")
      ->type_name("N")
      ->check(CLI::Range(1, limits::kFuseWorkersMax).description(""));
  app.add_option(
         "--passthrough", passthrough_,
         "Whether the kernel reads and maps complete files in the cache by itself, at the speed of the disk: on, "
         "off, or auto, which is on where the kernel can (Linux 6.9 or newer, as root). Default: auto.")
      ->type_name("WHEN")
      ->check(one_of({"auto", "on", "off"}));
  app.add_option(
         "--locks", locks_,
         "Between whom locks of programs (fcntl, flock) hold: shared, all nodes that have the volume mounted, or "
         "local, the programs of this machine, which is faster. Default: shared where metadata are shared.")
      ->type_name("WHO")
      ->check(one_of({"local", "shared"}));
  app.add_flag("--nonempty", nonempty_, "Mount over a directory that has files, and hide them.");
}

MountConfig MountOptions::config() const {
  MountConfig config;
  config.log_level = level_of(log_level_);
  log::set_level(config.log_level);
  config.cache_directory = absolute_or_empty(cache_directory_);
  config.zone = zone_;
  config.listen = listen_;
  config.advertise = advertise_;
  config.metrics_token = absolute_or_empty(metrics_token_);
  if (!cache_size_.empty()) config.cache_bytes_max = parse_bytes(cache_size_).value_or(0);
  // 0 stands for the default there; one byte is as good as none.
  if (!cache_reserve_.empty()) config.reserve_bytes = std::max<uint64_t>(1, parse_bytes(cache_reserve_).value_or(0));
  config.read_timeout_ms = parse_duration_ms(read_timeout_).value_or(config.read_timeout_ms);
  config.wait_when_full = when_full_ == "wait";
  config.durability = durability_of(durability_);
  if (!upload_limit_.empty()) config.upload_bytes_per_second = parse_bytes(upload_limit_).value_or(0);
  if (allow_other_ || no_allow_other_) config.allow_other = allow_other_;
  config.over_files = nonempty_;
  config.passthrough = passthrough_of(passthrough_);
  config.locks = lock_reach_of(locks_);
  config.workers = workers_;
  config.log_file = absolute_or_empty(log_file_);
  return config;
}

std::string resolved_mount_point(const std::string& path) {
  std::string absolute = fuse::lexically_absolute(path);
  auto mount = fuse::covering_mount(fuse::read_mounts(), absolute);
  if (mount && mount->is_weir() && mount->mount_point == absolute) return absolute;
  std::error_code failure;
  std::filesystem::path resolved = std::filesystem::weakly_canonical(absolute, failure);
  return failure ? absolute : fuse::lexically_absolute(resolved.string());
}

Result<Launched> start_daemon(const MountConfig& config, bool foreground) {
  if (!foreground) return launch_in_background(config);
  TRY(run_in_foreground(config));
  return Launched{::getpid(), config.mount_point};
}

}  // namespace weir::cli
