#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "world.h"

// Few names and offsets close to borders, so that operations meet.
namespace weir::exerciser {

std::string World::random_name() {
  const std::string directory = dice_.pick({"", "", "", "d0/", "d0/", "d1/", "d0/d2/", "d1/d3/"});
  return directory + dice_.pick({"a", "b", "c", "d", "e", "d0", "d1", "d2", "d3"});
}

std::string World::random_file_name() {
  if (dice_.percent(4)) return dice_.pick({"big", "d0/big"});
  const std::string directory = dice_.pick({"", "", "", "d0/", "d1/", "d0/d2/"});
  return directory + dice_.pick({"a", "b", "c", "d", "e"});
}

uint64_t World::random_offset(const Content& content) {
  const uint64_t limit = content.bytes_max();
  const uint64_t near = dice_.below(20) - 10;  // Wraps around below zero, and is clipped then.
  uint64_t offset = 0;
  switch (dice_.below(6)) {
    case 0: offset = 0; break;
    case 1: offset = content.size() + near; break;
    case 2: offset = dice_.pick<uint64_t>({4096, 8192, 65536, 131072, 4 << 20, 8 << 20}) + near; break;
    case 3: offset = dice_.below(limit / kPage) * kPage; break;
    case 4: offset = dice_.below(limit); break;
    default: offset = dice_.below(content.size() + 1); break;
  }
  return offset > limit ? dice_.below(limit) : offset;
}

uint64_t World::random_length() {
  const uint64_t roll = dice_.below(100);
  if (roll < 45) return 1 + dice_.below(200);
  if (roll < 75) return 1 + dice_.below(9000);
  if (roll < 95) return 1 + dice_.below(70000);
  return 1 + dice_.below(300000);
}

World::Range World::random_range(const Content& content, bool aligned) {
  Range range{random_offset(content), random_length()};
  if (aligned) {
    range.offset = std::min(range.offset, content.bytes_max() - kPage) / kPage * kPage;
    range.length = (range.length + kPage - 1) / kPage * kPage;
  }
  range.length = std::min(range.length, content.bytes_max() - range.offset);
  return range;
}

World::Handle* World::random_handle() { return handles_.empty() ? nullptr : &handles_[dice_.below(handles_.size())]; }

World::Mapping* World::random_mapping() {
  return mappings_.empty() ? nullptr : &mappings_[dice_.below(mappings_.size())];
}

std::string World::describe(const Handle& handle) const {
  return fmt::format("fd {}:{}{}{}{}", handle.fds[kWeir], handle.name, handle.direct() ? " direct" : "",
                     handle.append() ? " append" : "", handle.content->shared() ? " (shared)" : "");
}

bool World::Handle::readable() const { return (flags & O_ACCMODE) != O_WRONLY; }
bool World::Handle::writable() const { return (flags & O_ACCMODE) != O_RDONLY; }
bool World::Handle::direct() const { return (flags & O_DIRECT) != 0; }
bool World::Handle::append() const { return (flags & O_APPEND) != 0; }

}  // namespace weir::exerciser
