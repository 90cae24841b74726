#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <set>

#include "world.h"

namespace weir::exerciser {
namespace {

constexpr size_t kValueBytesMax = 600;

// The names that a list of NUL-terminated names holds; their order is the filesystem's choice.
std::set<std::string> names_in(const std::string& list) {
  std::set<std::string> names;
  for (size_t at = 0; at < list.size();) {
    const std::string name = list.c_str() + at;
    at += name.size() + 1;
    names.insert(name);
  }
  return names;
}

}  // namespace

void World::status_of_name() {
  const std::string name = dice_.percent(90) ? random_name() : ".";
  const bool follow = dice_.percent(50);
  std::array<struct stat, 2> status{};
  begin(fmt::format("{} {}", follow ? "stat" : "lstat", name));
  const Pair pair = both([&](int side) {
    struct stat* result = &status[static_cast<size_t>(side)];
    return follow ? stat(path(side, name).c_str(), result) : lstat(path(side, name).c_str(), result);
  });
  compare(pair);
  if (!pair.ok()) return;
  const auto found = known_.find(status[kPlain].st_ino);
  const bool known = S_ISREG(status[kPlain].st_mode) && found != known_.end();
  compare_status(status[kWeir], status[kPlain], known ? found->second.content.get() : nullptr);
}

void World::change_mode() {
  const std::string name = random_name();
  const mode_t mode = dice_.pick<mode_t>({0600, 0644, 0444, 0755, 04711, 02755, 01644, 0});
  begin(fmt::format("chmod {} {:o}", name, mode));
  compare(both([&](int side) { return chmod(path(side, name).c_str(), mode); }));
}

void World::change_owner() {
  const std::string name = random_name();
  const uid_t user = dice_.pick<uid_t>({0, 1000, static_cast<uid_t>(-1)});
  const gid_t group = dice_.pick<gid_t>({0, 1000, static_cast<gid_t>(-1)});
  const bool follow = dice_.percent(50);
  begin(fmt::format("{} {} {}:{}", follow ? "chown" : "lchown", name, static_cast<int>(user), static_cast<int>(group)));
  compare(both([&](int side) {
    return fchownat(AT_FDCWD, path(side, name).c_str(), user, group, follow ? 0 : AT_SYMLINK_NOFOLLOW);
  }));
}

void World::change_times() {
  const std::string name = random_name();
  const auto seconds = static_cast<time_t>(700'000'000 + dice_.below(500'000'000));
  const timespec modified{seconds, static_cast<long>(dice_.below(1'000'000'000))};
  const bool now = dice_.percent(20);
  const bool follow = dice_.percent(60);
  const timespec times[2] = {modified, now ? timespec{0, UTIME_NOW} : modified};
  begin(fmt::format("utimens {} {}.{}{}", name, modified.tv_sec, modified.tv_nsec, now ? " (now)" : ""));
  const int flags = follow ? 0 : AT_SYMLINK_NOFOLLOW;
  const Pair pair = both([&](int side) { return utimensat(AT_FDCWD, path(side, name).c_str(), times, flags); });
  compare(pair);
  if (!pair.ok() || now) return;
  struct stat status {};
  expect(fstatat(AT_FDCWD, path(kPlain, name).c_str(), &status, flags) == 0, "stat after utimens fails");
  const auto found = known_.find(status.st_ino);
  if (S_ISREG(status.st_mode) && found != known_.end() && !found->second.content->times_known()) return;
  expect(fstatat(AT_FDCWD, path(kWeir, name).c_str(), &status, flags) == 0, "stat after utimens fails");
  expect(status.st_mtim.tv_sec == modified.tv_sec && status.st_mtim.tv_nsec == modified.tv_nsec,
         fmt::format("mtime is {}.{}", status.st_mtim.tv_sec, status.st_mtim.tv_nsec));
}

void World::set_attribute() {
  const std::string name = random_name();
  const std::string attribute = dice_.pick({"user.a", "user.b", "user.long-name"});
  const int flags = dice_.pick<int>({0, 0, XATTR_CREATE, XATTR_REPLACE});
  std::string value(dice_.below(kValueBytesMax), '\0');
  dice_.fill(value);
  begin(fmt::format("setxattr {} {} flags {} for {}", name, attribute, flags, value.size()));
  compare(both([&](int side) {
    return setxattr(path(side, name).c_str(), attribute.c_str(), value.data(), value.size(), flags);
  }));
}

void World::get_attribute() {
  const std::string name = random_name();
  const std::string attribute = dice_.pick({"user.a", "user.b", "user.long-name"});
  const size_t room = dice_.pick<size_t>({0, 10, kValueBytesMax});
  std::array<std::string, 2> values{std::string(room, '\0'), std::string(room, '\0')};
  begin(fmt::format("getxattr {} {} room {}", name, attribute, room));
  compare(both([&](int side) {
    std::string& value = values[static_cast<size_t>(side)];
    return getxattr(path(side, name).c_str(), attribute.c_str(), value.data(), room);
  }));
  expect(values[kWeir] == values[kPlain], "the values differ");
}

void World::list_attributes() {
  const std::string name = random_name();
  std::array<std::string, 2> lists{std::string(1024, '\0'), std::string(1024, '\0')};
  begin("listxattr " + name);
  const Pair pair = both([&](int side) {
    std::string& list = lists[static_cast<size_t>(side)];
    const ssize_t count = listxattr(path(side, name).c_str(), list.data(), list.size());
    list.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return count;
  });
  compare(pair);
  expect(names_in(lists[kWeir]) == names_in(lists[kPlain]), "the names differ");
}

void World::remove_attribute() {
  const std::string name = random_name();
  const std::string attribute = dice_.pick({"user.a", "user.b", "user.long-name"});
  begin(fmt::format("removexattr {} {}", name, attribute));
  compare(both([&](int side) { return removexattr(path(side, name).c_str(), attribute.c_str()); }));
}

}  // namespace weir::exerciser
