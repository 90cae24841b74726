#include "cache/image_table.h"

namespace weir::cache {

ImageEntry ImageEntry::of(const ImageRow& row) {
  ImageEntry entry;
  entry.size = row.size;
  entry.disk_bytes = row.disk_bytes;
  entry.last_used_ns = row.last_used_ns;
  entry.present_chunks = row.present_chunks;
  entry.uses = row.uses;
  entry.final = row.final;
  entry.registered = row.registered;
  return entry;
}

ImageRow ImageEntry::row(uint64_t boot) const {
  ImageRow row;
  row.final = final;
  row.registered = registered;
  row.uses = uses;
  row.size = size;
  row.disk_bytes = disk_bytes;
  row.last_used_ns = last_used_ns;
  row.present_chunks = present_chunks;
  row.boot = boot;
  return row;
}

std::optional<ImageEntry> ImageTable::find(const ManifestId& id) const {
  const Shard& part = shard(id);
  MutexLock lock(part.mutex);
  auto found = part.entries.find(id);
  if (found == part.entries.end()) return std::nullopt;
  return found->second;
}

void ImageTable::put(const ManifestId& id, ImageEntry entry) {
  Shard& part = shard(id);
  MutexLock lock(part.mutex);
  auto [place, added] = part.entries.try_emplace(id);
  if (!added) add_to_totals(place->second, -1);
  add_to_totals(entry, +1);
  place->second = std::move(entry);
}

bool ImageTable::update(const ManifestId& id, const std::function<void(ImageEntry&)>& change) {
  Shard& part = shard(id);
  MutexLock lock(part.mutex);
  auto found = part.entries.find(id);
  if (found == part.entries.end()) return false;
  add_to_totals(found->second, -1);
  change(found->second);
  add_to_totals(found->second, +1);
  return true;
}

void ImageTable::erase(const ManifestId& id) {
  Shard& part = shard(id);
  MutexLock lock(part.mutex);
  auto found = part.entries.find(id);
  if (found == part.entries.end()) return;
  add_to_totals(found->second, -1);
  part.entries.erase(found);
}

void ImageTable::clear() {
  for (Shard& part : shards_) {
    MutexLock lock(part.mutex);
    for (const auto& [id, entry] : part.entries) add_to_totals(entry, -1);
    part.entries.clear();
  }
}

void ImageTable::for_each(const std::function<void(const ManifestId&, const ImageEntry&)>& visit) const {
  for (const Shard& part : shards_) {
    MutexLock lock(part.mutex);
    for (const auto& [id, entry] : part.entries) visit(id, entry);
  }
}

std::shared_ptr<Image> ImageTable::held(const ManifestId& id) const {
  const Shard& part = shard(id);
  MutexLock lock(part.mutex);
  auto found = part.entries.find(id);
  if (found == part.entries.end() || !found->second.open) return nullptr;
  return found->second.open->weak.lock();
}

uint64_t ImageTable::stored_disk_bytes() const {
  // Two totals that change one after the other.
  const int64_t stored = disk_bytes_.load() - unstored_bytes_.load();
  return stored > 0 ? static_cast<uint64_t>(stored) : 0;
}

void ImageTable::add_to_totals(const ImageEntry& entry, int64_t sign) {
  images_ += sign;
  if (entry.final) final_ += sign;
  disk_bytes_ += sign * static_cast<int64_t>(entry.disk_bytes);
  if (entry.unstored) unstored_bytes_ += sign * static_cast<int64_t>(entry.disk_bytes);
}

}  // namespace weir::cache
