#include "vfs/file.h"

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

bool FileRef::reset() {
  if (!file_) return false;
  std::shared_ptr<File> file = std::move(file_);
  return std::exchange(table_, nullptr)->release(file->id);
}

FileRef FileTable::acquire(InodeId inode) {
  MutexLock lock(mutex_);
  Place& place = places_[inode];
  if (!place.file) place.file = std::make_shared<File>(inode);
  ++place.users;
  return FileRef(this, place.file);
}

FileRef FileTable::find(InodeId inode) {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  if (found == places_.end()) return {};
  ++found->second.users;
  return FileRef(this, found->second.file);
}

bool FileTable::in_use(InodeId inode) const { return users(inode) > 0; }

size_t FileTable::users(InodeId inode) const {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  return found == places_.end() ? 0 : found->second.users;
}

std::vector<FileRef> FileTable::all() {
  MutexLock lock(mutex_);
  std::vector<FileRef> refs;
  refs.reserve(places_.size());
  for (auto& [inode, place] : places_) {
    ++place.users;
    refs.emplace_back(this, place.file);
  }
  return refs;
}

size_t FileTable::size() const {
  MutexLock lock(mutex_);
  return places_.size();
}

bool FileTable::release(InodeId inode) {
  MutexLock lock(mutex_);
  auto found = places_.find(inode);
  CHECK(found != places_.end());
  if (--found->second.users > 0) return false;
  places_.erase(found);
  return true;
}

}  // namespace weir::vfs
