#include "cli/mount_users.h"

#include <unistd.h>

#include <charconv>
#include <climits>
#include <filesystem>

#include <fmt/format.h>

#include "daemon/volume/process_identity.h"

namespace weir::cli {

namespace {

namespace fs = std::filesystem;

constexpr size_t kNamed = 5;

bool leads_below(const fs::path& link, const std::string& mount_point) {
  char target[PATH_MAX];
  ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  if (length <= 0) return false;
  std::string_view path(target, static_cast<size_t>(length));
  return path.starts_with(mount_point) && (path.size() == mount_point.size() || path[mount_point.size()] == '/');
}

bool any_below(const fs::path& directory, const std::string& mount_point) {
  std::error_code failure;
  for (fs::directory_iterator entry(directory, failure), end; !failure && entry != end; entry.increment(failure))
    if (leads_below(entry->path(), mount_point)) return true;
  return false;
}

bool uses(const fs::path& process, const std::string& mount_point) {
  for (const char* link : {"cwd", "root", "exe"})
    if (leads_below(process / link, mount_point)) return true;
  return any_below(process / "fd", mount_point) || any_below(process / "map_files", mount_point);
}

}  // namespace

std::vector<MountUser> users_of_mount(const std::string& mount_point) {
  std::vector<MountUser> users;
  std::error_code failure;
  for (fs::directory_iterator entry("/proc", failure), end; !failure && entry != end; entry.increment(failure)) {
    std::string name = entry->path().filename();
    int64_t pid = 0;
    auto [rest, bad] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (bad != std::errc() || rest != name.data() + name.size() || pid == ::getpid()) continue;
    if (uses(entry->path(), mount_point)) users.push_back({pid, process_name(pid)});
  }
  return users;
}

std::string describe(const std::vector<MountUser>& users) {
  std::string text;
  for (size_t i = 0; i < users.size() && i < kNamed; ++i)
    text += fmt::format("{}{} ({})", i == 0 ? "" : ", ", users[i].name, users[i].pid);
  if (users.size() > kNamed) text += fmt::format(" and {} more", users.size() - kNamed);
  return text;
}

}  // namespace weir::cli
