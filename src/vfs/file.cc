#include "vfs/file.h"

#include <algorithm>

#include "base/check.h"

namespace weir::vfs {

FileRef& FileRef::operator=(FileRef&& other) noexcept {
  if (this != &other) {
    reset();
    table_ = std::exchange(other.table_, nullptr);
    file_ = std::move(other.file_);
  }
  return *this;
}

FileRef::Last FileRef::reset() {
  if (!file_) return {};
  std::shared_ptr<File> file = std::move(file_);
  return std::exchange(table_, nullptr)->release(*file);
}

FileTable::Place& FileTable::Places::of(uint16_t epoch) {
  if (epoch >= current.file->first_epoch) return current;
  for (auto place = former.rbegin(); place != former.rend(); ++place)
    if (epoch >= place->file->first_epoch) return *place;
  return former.empty() ? current : former.front();
}

FileTable::Places& FileTable::places_of(InodeId inode) {
  Places& places = places_[inode];
  if (!places.current.file) places.current.file = std::make_shared<File>(inode);
  return places;
}

FileRef FileTable::acquire(InodeId inode) {
  MutexLock lock(mutex_);
  return use(places_of(inode).current);
}

FileRef FileTable::acquire(KernelNode node) {
  MutexLock lock(mutex_);
  return use(places_of(node.inode()).of(node.epoch()));
}

FileRef FileTable::find(InodeId inode) {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  return found == places_.end() ? FileRef() : use(found->second.current);
}

FileRef FileTable::find(KernelNode node) {
  MutexLock lock(mutex_);
  auto found = places_.find(node.inode());
  return found == places_.end() ? FileRef() : use(found->second.of(node.epoch()));
}

std::vector<FileRef> FileTable::all_of(InodeId inode) {
  MutexLock lock(mutex_);
  std::vector<FileRef> refs;
  auto found = places_.find(inode);
  if (found == places_.end()) return refs;
  for (Place& place : found->second.former) refs.push_back(use(place));
  refs.push_back(use(found->second.current));
  return refs;
}

FileRef FileTable::supersede(const File& former, uint16_t first_epoch) {
  MutexLock lock(mutex_);
  Places& places = places_of(former.id);
  if (places.current.file.get() == &former) {
    places.former.push_back(std::move(places.current));
    places.current = {std::make_shared<File>(former.id, first_epoch), 0};
  }
  return use(places.current);
}

FileRef FileTable::restore(InodeId inode, uint16_t first_epoch) {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  if (found == places_.end()) {
    Places& places = places_[inode];
    places.current.file = std::make_shared<File>(inode, first_epoch);
    return use(places.current);
  }
  Places& places = found->second;
  if (places.current.file->first_epoch == first_epoch) return use(places.current);
  for (Place& place : places.former)
    if (place.file->first_epoch == first_epoch) return use(place);
  Place restored{std::make_shared<File>(inode, first_epoch), 0};
  if (first_epoch > places.current.file->first_epoch) std::swap(restored, places.current);
  FileTable::Place& added = *places.former.insert(
      std::find_if(places.former.begin(), places.former.end(),
                   [&](const Place& place) { return place.file->first_epoch > restored.file->first_epoch; }),
      restored);
  return use(places.current.file->first_epoch == first_epoch ? places.current : added);
}

bool FileTable::in_use(InodeId inode) const { return users(inode) > 0; }

bool FileTable::is_current(const File& file) const {
  MutexLock lock(mutex_);
  auto found = places_.find(file.id);
  return found != places_.end() && found->second.current.file.get() == &file;
}

bool FileTable::has_former(InodeId inode) const {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  return found != places_.end() && !found->second.former.empty();
}

size_t FileTable::users(InodeId inode) const {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  if (found == places_.end()) return 0;
  size_t users = found->second.current.users;
  for (const Place& place : found->second.former) users += place.users;
  return users;
}

std::vector<FileRef> FileTable::all() {
  MutexLock lock(mutex_);
  std::vector<FileRef> refs;
  refs.reserve(places_.size());
  for (auto& [inode, places] : places_) {
    for (Place& place : places.former) refs.push_back(use(place));
    refs.push_back(use(places.current));
  }
  return refs;
}

size_t FileTable::size() const {
  MutexLock lock(mutex_);
  return places_.size();
}

FileRef::Last FileTable::release(const File& file) {
  MutexLock lock(mutex_);
  auto found = places_.find(file.id);
  CHECK(found != places_.end());
  Places& places = found->second;
  Place* place = &places.current;
  for (Place& former : places.former)
    if (former.file.get() == &file) place = &former;
  CHECK(place->file.get() == &file && place->users > 0);
  if (--place->users > 0) return {};
  std::erase_if(places.former, [](const Place& former) { return former.users == 0; });
  if (!places.former.empty() || places.current.users > 0) return {true, false};
  places_.erase(found);
  return {true, true};
}

}  // namespace weir::vfs
