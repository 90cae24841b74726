#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <vector>

#include "world.h"

namespace weir::exerciser {
namespace {

constexpr unsigned kNoReplace = 1;
constexpr unsigned kExchange = 2;

// Names and kinds, or the errno.
Outcome list(const std::string& path, std::map<std::string, int>& names) {
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return Outcome::of(-1);
  int64_t entries = 0;
  while (const dirent* entry = readdir(directory)) {
    names[entry->d_name] = entry->d_type;
    ++entries;
  }
  closedir(directory);
  return {entries, 0};
}

std::string names_text(const std::map<std::string, int>& names) {
  std::string text;
  for (const auto& [name, type] : names) text += fmt::format(" {}:{}", name, type);
  return text;
}

}  // namespace

void World::make_directory() {
  const std::string name = dice_.pick({"d0", "d1", "d0/d2", "d1/d3", "d0/d2/d0", "a"});
  const mode_t mode = dice_.pick<mode_t>({0755, 0700, 01777, 02775});
  begin(fmt::format("mkdir {} {:o}", name, mode));
  compare(both([&](int side) { return mkdir(path(side, name).c_str(), mode); }));
}

void World::remove_directory() {
  const std::string name = dice_.pick({"d0", "d1", "d0/d2", "d1/d3", "d0/d2/d0", "a", "."});
  begin("rmdir " + name);
  compare(both([&](int side) { return rmdir(path(side, name).c_str()); }));
}

void World::unlink_name() {
  const std::string name = random_name();
  struct stat before {};
  const bool existed = lstat(path(kPlain, name).c_str(), &before) == 0;
  begin("unlink " + name);
  const Pair pair = both([&](int side) { return unlink(path(side, name).c_str()); });
  compare(pair);
  if (pair.ok() && existed) forget_if_last(before);
}

void World::rename_name() {
  const std::string from = random_name();
  const std::string to = random_name();
  const unsigned flags = dice_.pick<unsigned>({0, 0, 0, kNoReplace, kExchange});
  struct stat before {};
  struct stat moved {};
  const bool replaced = flags == 0 && lstat(path(kPlain, to).c_str(), &before) == 0 &&
                        lstat(path(kPlain, from).c_str(), &moved) == 0 && before.st_ino != moved.st_ino;
  begin(fmt::format("rename {} to {}{}", from, to,
                    flags == kNoReplace ? " NOREPLACE" : (flags == kExchange ? " EXCHANGE" : "")));
  const Pair pair = both(
      [&](int side) { return renameat2(AT_FDCWD, path(side, from).c_str(), AT_FDCWD, path(side, to).c_str(), flags); });
  compare(pair);
  if (pair.ok() && replaced) forget_if_last(before);
}

void World::link_name() {
  const std::string from = random_name();
  const std::string to = random_name();
  begin(fmt::format("link {} to {}", from, to));
  compare(both([&](int side) { return link(path(side, from).c_str(), path(side, to).c_str()); }));
}

void World::make_symlink() {
  const std::string target = dice_.pick({"a", "b", "../c", "d0", "d1/a", "nowhere", ".", "d0/d2/"});
  const std::string name = random_name();
  begin(fmt::format("symlink {} at {}", target, name));
  compare(both([&](int side) { return symlink(target.c_str(), path(side, name).c_str()); }));
}

void World::read_symlink() {
  const std::string name = random_name();
  std::array<std::string, 2> targets;
  begin("readlink " + name);
  compare(both([&](int side) {
    std::string& target = targets[static_cast<size_t>(side)];
    target.resize(256);
    const ssize_t count = readlink(path(side, name).c_str(), target.data(), target.size());
    target.resize(count < 0 ? 0 : static_cast<size_t>(count));
    return count;
  }));
  expect(targets[kWeir] == targets[kPlain], "the target is " + targets[kWeir] + " and " + targets[kPlain]);
}

void World::list_directory() {
  const std::string name = dice_.pick({".", "d0", "d1", "d0/d2", "d1/d3", "a"});
  std::array<std::map<std::string, int>, 2> names;
  begin("list " + name);
  const Pair pair{list(path(kWeir, name), names[kWeir]), list(path(kPlain, name), names[kPlain])};
  compare(pair);
  expect(names[kWeir] == names[kPlain],
         "Weir lists" + names_text(names[kWeir]) + "; the plain disk" + names_text(names[kPlain]));
}

}  // namespace weir::exerciser
