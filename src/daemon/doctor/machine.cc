#include "daemon/doctor/machine.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>

#include "base/file_descriptor.h"
#include "daemon/volume/process_identity.h"
#include "fuse/fusermount.h"
#include "fuse/mount.h"

namespace weir {

namespace {

using Level = Finding::Level;

constexpr int kCapSysAdmin = 21;  // linux/capability.h
constexpr rlim_t kOpenFilesWanted = 65536;
constexpr time_t kEarliestSaneTime = 1'735'689'600;  // 2025-01-01
constexpr int kProbeMs = 3000;

struct KernelVersion {
  int major = 0;
  int minor = 0;
  bool at_least(int wanted_major, int wanted_minor) const {
    return major > wanted_major || (major == wanted_major && minor >= wanted_minor);
  }
};

KernelVersion kernel_version(const std::string& release) {
  KernelVersion version;
  if (std::sscanf(release.c_str(), "%d.%d", &version.major, &version.minor) != 2) return {};
  return version;
}

bool has_capability(int number) {
  std::string status = read_kernel_file("/proc/self/status");
  size_t position = status.find("CapEff:");
  if (position == std::string::npos) return false;
  unsigned long long set = 0;
  return std::sscanf(status.c_str() + position, "CapEff: %llx", &set) == 1 && (set >> number & 1) != 0;
}

bool is_executable(const std::string& program) {
  const char* search = std::getenv("PATH");
  std::string paths = search == nullptr ? "/usr/bin:/bin" : search;
  for (size_t begin = 0; begin <= paths.size();) {
    size_t end = std::min(paths.find(':', begin), paths.size());
    if (::access((paths.substr(begin, end - begin) + "/" + program).c_str(), X_OK) == 0) return true;
    begin = end + 1;
  }
  return false;
}

}  // namespace

Findings check_kernel() {
  utsname names{};
  ::uname(&names);
  return judge_kernel(names.release, has_capability(kCapSysAdmin));
}

Findings judge_kernel(const std::string& release, bool may_lend_files) {
  const KernelVersion version = kernel_version(release);
  Findings findings;
  if (!version.at_least(5, 4))
    findings.push_back({Level::kFailure, "kernel", fmt::format("Linux {} is too old; Weir needs 5.4", release)});
  else if (!version.at_least(6, 6))
    findings.push_back(
        {Level::kWarning, "kernel", fmt::format("Linux {} works, but files are written slower before 6.6", release)});
  else
    findings.push_back({Level::kOk, "kernel", fmt::format("Linux {}", release)});

  if (!version.at_least(6, 9))
    findings.push_back({Level::kInfo, "passthrough",
                        "the kernel cannot read cached files by itself before 6.9; the daemon serves all reads"});
  else if (!may_lend_files)
    findings.push_back({Level::kInfo, "passthrough",
                        "the kernel could read cached files by itself, but only for a daemon with CAP_SYS_ADMIN"});
  else
    findings.push_back({Level::kInfo, "passthrough", "the kernel can read complete files in the cache by itself"});
  return findings;
}

Findings check_fuse_access() {
  Findings findings;
  FileDescriptor device(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  if (device.valid())
    findings.push_back({Level::kOk, "dev_fuse", "/dev/fuse can be opened"});
  else if (errno == ENOENT || errno == ENODEV)
    findings.push_back(
        {Level::kFailure, "dev_fuse",
         "/dev/fuse is missing; load the module with: modprobe fuse (in a container, pass the device in)"});
  else
    findings.push_back(
        {Level::kFailure, "dev_fuse",
         fmt::format("/dev/fuse cannot be opened: {}; give this user access to it", std::strerror(errno))});

  bool helper = is_executable("fusermount3");
  if (::geteuid() == 0 && has_capability(kCapSysAdmin)) {
    findings.push_back({Level::kOk, "mounting", "root may mount"});
  } else if (::geteuid() == 0) {
    findings.push_back({Level::kFailure, "mounting",
                        "root has no CAP_SYS_ADMIN here and may not mount; start the container with that capability"});
  } else if (helper) {
    findings.push_back({Level::kOk, "mounting", "fusermount3 mounts for this user"});
    if (!fuse::fusermount::user_allow_other())
      findings.push_back(
          {Level::kInfo, "allow_other",
           "other users cannot use mounts of this user; add user_allow_other to /etc/fuse.conf to let them"});
  } else {
    findings.push_back(
        {Level::kFailure, "mounting", "this user is not root and there is no fusermount3; install the package fuse3"});
  }
  return findings;
}

Findings check_limits() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max >= kOpenFilesWanted)
    return {{Level::kOk, "open_files", fmt::format("the daemon may have {} files open", limit.rlim_max)}};
  return {{Level::kWarning, "open_files",
           fmt::format("the daemon may have only {} files open; raise the hard limit (ulimit -Hn, LimitNOFILE=) to {}",
                       limit.rlim_max, kOpenFilesWanted)}};
}

Findings check_clock() {
  if (::time(nullptr) < kEarliestSaneTime)
    return {{Level::kFailure, "clock", "the clock is years behind; set it, or times of files will be wrong"}};
  timex status{};
  if (::adjtimex(&status) == TIME_ERROR)
    return {{Level::kInfo, "clock", "the clock is not kept in step by NTP, as far as the kernel knows"}};
  return {{Level::kOk, "clock", "the clock is kept in step"}};
}

Findings check_mounts() {
  Findings findings;
  for (const fuse::MountInfo& mount : fuse::read_mounts()) {
    if (!mount.is_weir()) continue;
    switch (fuse::probe_mount(mount.mount_point, kProbeMs)) {
      case fuse::MountLife::kAlive:
        findings.push_back(
            {Level::kOk, "mount", fmt::format("volume {} at {} answers", mount.source, mount.mount_point)});
        break;
      case fuse::MountLife::kDead:
        findings.push_back({Level::kFailure, "mount",
                            fmt::format("the mount at {} is dead; mount it again, or remove it with: weir umount {}",
                                        mount.mount_point, mount.mount_point)});
        break;
      case fuse::MountLife::kSilent:
        findings.push_back(
            {Level::kFailure, "mount",
             fmt::format("the mount at {} does not answer; look into its daemon's log", mount.mount_point)});
        break;
      case fuse::MountLife::kNone: break;
    }
  }
  return findings;
}

}  // namespace weir
