#include "object/memory/memory_store.h"

#include <algorithm>

#include "base/check.h"
#include "base/limits.h"
#include "object/object_name.h"

namespace weir::object {

Result<size_t> MemoryStore::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  TRY(check_object_name(name));
  MutexLock lock(mutex_);
  auto found = objects_.find(name);
  if (found == objects_.end()) return error(Code::kNotFound, "there is no object {} in {}", name, describe());
  const Bytes& bytes = found->second.bytes;
  if (offset >= bytes.size()) return 0;
  return bytes.copy(buffer.data(), buffer.size(), offset);
}

Status MemoryStore::put(std::string_view name, const Payload& payload) {
  TRY(check_object_name(name));
  CHECK(payload.bytes().size() <= limits::kObjectBytes);
  if (payload.digest() != sha256(payload.bytes()))
    return error(Code::kCorrupt, "put {} in {}: the bytes are not those of its digest", name, describe());
  MutexLock lock(mutex_);
  objects_.insert_or_assign(std::string(name), Object{Bytes(payload.bytes()), clock_.realtime_ns()});
  return {};
}

Result<std::optional<ObjectInfo>> MemoryStore::head(std::string_view name) {
  TRY(check_object_name(name));
  MutexLock lock(mutex_);
  auto found = objects_.find(name);
  if (found == objects_.end()) return std::nullopt;
  return ObjectInfo{found->second.bytes.size(), found->second.modified_ns, sha256(found->second.bytes)};
}

Result<ListPage> MemoryStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  CHECK(limit > 0 && limit <= limits::kListedObjects);
  MutexLock lock(mutex_);
  ListPage page;
  for (auto it = std::max(prefix, after) == prefix ? objects_.lower_bound(prefix) : objects_.upper_bound(after);
       it != objects_.end() && it->first.starts_with(prefix); ++it) {
    if (it->first <= after) continue;
    page.more = page.objects.size() == limit;
    if (page.more) break;
    page.objects.push_back({it->first, {it->second.bytes.size(), it->second.modified_ns, {}}});
  }
  return page;
}

Status MemoryStore::remove(std::string_view name) {
  TRY(check_object_name(name));
  MutexLock lock(mutex_);
  if (auto found = objects_.find(name); found != objects_.end()) objects_.erase(found);
  return {};
}

Status MemoryStore::remove_all(std::span<const std::string> names) {
  for (const std::string& name : names) TRY(remove(name));
  return {};
}

}  // namespace weir::object
