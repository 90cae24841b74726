#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "world.h"

namespace weir::exerciser {
namespace {

std::vector<std::string> names_below(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

void World::finish() {
  while (!mappings_.empty()) unmap(mappings_.size() - 1);
  while (!handles_.empty()) close(handles_.size() - 1);
  compare_directory(".");
}

void World::compare_directory(const std::string& name) {
  begin("compare directory " + name);
  const std::vector<std::string> names = names_below(path(kPlain, name));
  expect(names == names_below(path(kWeir, name)), "the names differ");
  for (const std::string& below : names) compare_entry(name + "/" + below);
}

void World::compare_entry(const std::string& name) {
  struct stat weir {};
  struct stat plain {};
  begin("compare " + name);
  expect(lstat(path(kWeir, name).c_str(), &weir) == 0 && lstat(path(kPlain, name).c_str(), &plain) == 0, "lstat fails");
  const auto found = known_.find(plain.st_ino);
  const bool known = S_ISREG(plain.st_mode) && found != known_.end();
  compare_status(weir, plain, known ? found->second.content.get() : nullptr);
  if (S_ISREG(plain.st_mode)) {
    expect(known, "a file is there that nobody made");
    compare_bytes(name, *found->second.content);
  }
  if (S_ISDIR(plain.st_mode)) compare_directory(name);
}

void World::compare_bytes(const std::string& name, const Content& content) {
  for (const int side : {kPlain, kWeir}) {
    const int fd = ::open(path(side, name).c_str(), O_RDONLY);
    expect(fd >= 0, "open fails");
    for (uint64_t offset = 0; offset < content.size(); offset += kRequestBytesMax) {
      const ssize_t count = pread(fd, write_buffer_, kRequestBytesMax, static_cast<off_t>(offset));
      expect(count >= 0, "a read fails: " + Outcome::of(count).text());
      expect(content.read(offset, kRequestBytesMax) == std::string_view(write_buffer_, static_cast<size_t>(count)),
             fmt::format("bytes from {} on differ from the model's on side {}", offset, side));
    }
    ::close(fd);
  }
}

}  // namespace weir::exerciser
