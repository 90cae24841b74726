#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <string_view>

#include "bus_guard.h"
#include "world.h"

namespace weir::exerciser {
namespace {

constexpr uint64_t kMappedBytesMax = 256 << 10;

std::string place(uint64_t offset, uint64_t length, bool shared) {
  return fmt::format("{} at {} for {}", shared ? "shared" : "private", offset, length);
}

}  // namespace

void World::map() {
  if (mappings_.size() >= kMappingsMax) return unmap_one();
  const Handle* handle = random_handle();
  if (handle == nullptr) return;
  const Holding holding(*handle->content);
  const uint64_t size = std::max(handle->content->size(), kPage);
  const uint64_t offset = dice_.below((size + kPage - 1) / kPage) * kPage;
  const uint64_t length = 1 + dice_.below(kMappedBytesMax);
  const bool shared = dice_.percent(70);
  const bool writable = dice_.percent(60);
  begin(fmt::format("mmap {} {} {}", describe(*handle), writable ? "writable" : "readable",
                    place(offset, length, shared)));
  std::array<char*, 2> at{};
  const Pair pair = both([&](int side) {
    const auto index = static_cast<size_t>(side);
    void* memory = mmap(nullptr, length, writable ? PROT_READ | PROT_WRITE : PROT_READ,
                        shared ? MAP_SHARED : MAP_PRIVATE, handle->fds[index], static_cast<off_t>(offset));
    at[index] = static_cast<char*>(memory);
    return memory == MAP_FAILED ? -1 : 0;
  });
  compare(pair);
  if (pair.ok()) mappings_.push_back({at, offset, length, shared, writable, handle->content, handle->fds[kWeir]});
}

void World::read_mapping() {
  Mapping* mapping = random_mapping();
  if (mapping == nullptr) return;
  const Content& content = *mapping->content;
  const Holding holding(*mapping->content);
  const uint64_t begin_at = dice_.below(mapping->length);
  uint64_t length = std::min(random_length(), mapping->length - begin_at);
  const uint64_t offset = mapping->offset + begin_at;
  // Mostly as far as there are pages; beyond the last one there is SIGBUS.
  const uint64_t pages_end = (content.size() + kPage - 1) / kPage * kPage;
  if (dice_.percent(95)) {
    if (offset >= pages_end) return;
    length = std::min(length, pages_end - offset);
  }
  begin("read mapping " + place(offset, length, mapping->shared));
  const Pair pair = both([&](int side) {
    const auto index = static_cast<size_t>(side);
    const char* from = mapping->at[index] + begin_at;
    char* to = read_buffers_[index];
    return guarded([&] { std::memcpy(to, from, length); });
  });
  compare(pair);
  if (!pair.ok()) return;
  const std::string_view weir(read_buffers_[kWeir], length);
  const std::string_view plain(read_buffers_[kPlain], length);
  const auto differing = std::mismatch(weir.begin(), weir.end(), plain.begin());
  if (differing.first != weir.end()) {
    differ(fmt::format("mapped bytes differ, the first at {}: {:#x} for {:#x}",
                       offset + static_cast<uint64_t>(differing.first - weir.begin()), *differing.first & 0xff,
                       *differing.second & 0xff));
  }
  if (!mapping->shared) return;
  const std::string_view right = content.read(offset, length);
  expect(weir.substr(0, right.size()) == right, "a shared mapping has other bytes than were written");
}

void World::store_to_mapping() {
  Mapping* mapping = random_mapping();
  if (mapping == nullptr || !mapping->writable) return;
  // The kernel writes back later, and tells nobody but msync() that there was no room.
  if (mapping->shared && options_.wait_for_room) return;
  Content& content = *mapping->content;
  const Holding holding(content);
  const uint64_t begin_at = dice_.below(mapping->length);
  const uint64_t offset = mapping->offset + begin_at;
  // What is stored beyond the end within the last page may or may not be seen when the file grows.
  if (offset >= content.size()) return;
  const uint64_t length = std::min({random_length(), mapping->length - begin_at, content.size() - offset});
  dice_.fill({write_buffer_, length});
  begin("store to mapping " + place(offset, length, mapping->shared));
  const Pair pair = both([&](int side) {
    char* to = mapping->at[static_cast<size_t>(side)] + begin_at;
    const char* from = write_buffer_;
    return guarded([&] { std::memcpy(to, from, length); });
  });
  compare(pair);
  expect(pair.ok(), "a store within the file fails");
  if (!mapping->shared) return;
  content.write(offset, {write_buffer_, length});
  content.stored_by_mapping();
}

void World::sync_mapping() {
  const Mapping* mapping = random_mapping();
  if (mapping == nullptr) return;
  const Holding holding(*mapping->content);
  const int flags = dice_.pick({MS_SYNC, MS_SYNC, MS_ASYNC, MS_SYNC | MS_INVALIDATE});
  begin(fmt::format("msync {} flags {}", place(mapping->offset, mapping->length, mapping->shared), flags));
  compare(both([&](int side) { return msync(mapping->at[static_cast<size_t>(side)], mapping->length, flags); }));
}

void World::unmap_one() {
  if (!mappings_.empty()) unmap(dice_.below(mappings_.size()));
}

void World::unmap_all_of(int weir_fd) {
  for (size_t index = mappings_.size(); index-- > 0;) {
    if (mappings_[index].weir_fd == weir_fd) unmap(index);
  }
}

void World::unmap(size_t index) {
  const Mapping mapping = mappings_[index];
  mappings_.erase(mappings_.begin() + static_cast<ptrdiff_t>(index));
  begin("munmap " + place(mapping.offset, mapping.length, mapping.shared));
  compare(both([&](int side) { return munmap(mapping.at[static_cast<size_t>(side)], mapping.length); }));
}

}  // namespace weir::exerciser
