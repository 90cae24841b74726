#include "daemon/volume/process_identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <filesystem>

#include "base/io.h"

namespace weir {

namespace {

/// 0 when there is no such process.
uint64_t start_time_of(int64_t pid) {
  std::string line = read_kernel_file(fmt::format("/proc/{}/stat", pid));
  // The name in field 2 may hold anything, parentheses and blanks too: fields are counted behind its end.
  size_t position = line.rfind(')');
  if (position == std::string::npos) return 0;
  for (int field = 2; field < 22; ++field) {
    position = line.find(' ', position + 1);
    if (position == std::string::npos) return 0;
  }
  uint64_t started = 0;
  std::from_chars(line.data() + position + 1, line.data() + line.size(), started);
  return started;
}

uint64_t this_pid_namespace() {
  struct stat attributes {};
  return ::stat("/proc/self/ns/pid", &attributes) == 0 ? attributes.st_ino : 0;
}

}  // namespace

std::string read_kernel_file(const std::string& path) {
  auto fd = io::open_file(path, O_RDONLY);
  if (!fd) return {};
  std::string text;
  char bytes[4096];
  ssize_t got;
  while ((got = ::read(fd->get(), bytes, sizeof bytes)) > 0) text.append(bytes, static_cast<size_t>(got));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

ProcessIdentity identity_of(int64_t pid) {
  const uint64_t started = start_time_of(pid);
  if (started == 0) return {};
  return {read_kernel_file("/proc/sys/kernel/random/boot_id"), this_pid_namespace(), pid, started};
}

ProcessIdentity this_process() { return identity_of(::getpid()); }

bool is_surely_dead(const ProcessIdentity& process) {
  ProcessIdentity self = this_process();
  if (process.boot_id.empty() || process.boot_id != self.boot_id) return false;
  if (process.pid_namespace == 0 || process.pid_namespace != self.pid_namespace) return false;
  uint64_t started = start_time_of(process.pid);
  return started != process.started;
}

bool is_surely_alive(const ProcessIdentity& process) {
  if (process.pid == 0 || identity_of(process.pid) != process) return false;
  std::string line = read_kernel_file(fmt::format("/proc/{}/stat", process.pid));
  size_t name_end = line.rfind(')');
  // Dead, and its parent has not asked how it ended.
  return name_end != std::string::npos && !line.substr(name_end).starts_with(") Z");
}

std::string this_host() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

std::string this_program() {
  std::error_code failure;
  return std::filesystem::read_symlink("/proc/self/exe", failure).string();
}

std::string process_name(int64_t pid) { return read_kernel_file(fmt::format("/proc/{}/comm", pid)); }

}  // namespace weir
