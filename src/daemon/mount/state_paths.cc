#include "daemon/mount/state_paths.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <ctime>
#include <filesystem>

#include "base/io.h"
#include "daemon/control/line_socket.h"

namespace weir {

namespace {

constexpr size_t kRuntimePathMax = 70;  // a socket's path ends at 107 bytes, and ours adds at most 36

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string wanted_runtime_directory() {
  if (::geteuid() == 0) return "/run/weir";
  std::string home = environment("XDG_RUNTIME_DIR");
  if (home.starts_with('/') && home.size() <= kRuntimePathMax && ::access(home.c_str(), W_OK) == 0)
    return home + "/weir";
  return fmt::format("/tmp/weir-{}", ::geteuid());
}

}  // namespace

std::string state_home() {
  if (::geteuid() == 0) return "/var/lib/weir";
  std::string data_home = environment("XDG_DATA_HOME");
  if (data_home.starts_with('/')) return data_home + "/weir";
  std::string home = environment("HOME");
  return (home.starts_with('/') ? home : fmt::format("/tmp/weir-{}", ::geteuid())) + "/.local/share/weir";
}

std::string name_of_mount_point(std::string_view mount_point) {
  std::string name;
  for (char c : mount_point) {
    if (c == '/') {
      if (!name.empty()) name += '+';
    } else if (c == '+' || c == '%') {
      name += c == '+' ? "%2B" : "%25";
    } else {
      name += c;
    }
  }
  while (name.ends_with('+')) name.pop_back();
  return name;
}

Result<std::string> runtime_directory() {
  std::string path = wanted_runtime_directory();
  TRY(io::make_directories(path, 0700));
  struct stat attributes {};
  if (::lstat(path.c_str(), &attributes) != 0) return errno_error(errno, fmt::format("look at {}", path));
  if (!S_ISDIR(attributes.st_mode) || attributes.st_uid != ::geteuid() || (attributes.st_mode & 022) != 0)
    return error(Code::kPermission, "{} is not a directory that only this user may write to; remove it", path);
  return path;
}

void remove_dead_sockets(const std::string& directory) {
  std::error_code failure;
  for (std::filesystem::directory_iterator entry(directory, failure), end; !failure && entry != end;
       entry.increment(failure)) {
    if (entry->path().extension() != ".sock") continue;
    // A daemon that starts just now has its socket before it listens.
    struct stat attributes {};
    if (::stat(entry->path().c_str(), &attributes) != 0 || attributes.st_ctime > ::time(nullptr) - 60) continue;
    auto socket = LineSocket::connect(entry->path().string(), 1, 0);
    if (!socket && socket.error().code == Code::kUnavailable) ::unlink(entry->path().c_str());
  }
}

}  // namespace weir
