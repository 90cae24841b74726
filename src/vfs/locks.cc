// fcntl and flock locks.
#include "vfs/locks.h"

#include <vector>

#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/publisher.h"
#include "vfs/shared_locks.h"

namespace weir::vfs {

namespace {

/// What was written under the lock that this one ends or weakens must be there for who gets it next.
bool gives_way(const Locks& locks, const Lock& wanted) {
  return wanted.type == LockType::kNone || (wanted.type == LockType::kRead && locks.are_shared());
}

}  // namespace

void Core::took_locks(HandleId id, Handle& handle, uint64_t owner) {
  MutexLock lock(handle.lock_owners_mutex);
  std::erase(handle.lock_owners, owner);
  handle.lock_owners.push_back(owner);
  handles.note_lock_owner(id, owner);
}

void Core::end_locks(HandleId id, Handle& handle, std::optional<uint64_t> owner) {
  std::vector<uint64_t> ended;
  {
    MutexLock lock(handle.lock_owners_mutex);
    if (owner) {
      std::erase(handle.lock_owners, *owner);
      ended.push_back(*owner);  // also what was taken through another descriptor
    } else {
      ended.swap(handle.lock_owners);
    }
    handles.note_lock_owner(id, handle.lock_owners.empty() ? 0 : handle.lock_owners.back());
  }
  for (const uint64_t one : ended) locks->release_owner(handle.file->id, LockKind::kPosix, one);
}

Result<Lock> Filesystem::get_lock(KernelNode node, const Lock& wanted) {
  return core_->locks->conflicting(node.inode(), wanted);
}

bool Filesystem::lock_is_long(HandleId handle, const Lock& wanted) {
  return gives_way(*core_->locks, wanted) && flush_is_long(handle);
}

void Filesystem::set_lock(const Caller& caller, KernelNode node, HandleId handle, const Lock& wanted, bool wait,
                          LockDone done) {
  if (auto opened = core_->handles.find(handle)) {
    if (gives_way(*core_->locks, wanted))
      if (Status published = publish(*core_, {}, *(*opened)->file); !published) return done(published);
    if (wanted.kind == LockKind::kPosix && wanted.type != LockType::kNone)
      core_->took_locks(handle, **opened, wanted.owner);
  }
  core_->locks->set(node.inode(), wanted, wait, core_->request(caller).value, std::move(done));
}

void Filesystem::interrupt_lock(const Caller& caller) { core_->locks->interrupt(core_->request(caller).value); }

void Filesystem::node_died(NodeId node, uint64_t epoch) {
  if (shared_locks_ != nullptr) shared_locks_->node_died(node, epoch);
}

}  // namespace weir::vfs
