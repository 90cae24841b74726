// fcntl and flock locks.
#include "vfs/core.h"
#include "vfs/filesystem.h"
#include "vfs/publisher.h"

namespace weir::vfs {

Result<Lock> Filesystem::get_lock(KernelNode node, const Lock& wanted) {
  return core_->locks.conflicting(node.inode(), wanted);
}

void Filesystem::set_lock(const Caller& caller, KernelNode node, HandleId handle, const Lock& wanted, bool wait,
                          LockDone done) {
  if (wanted.type == LockType::kNone) {
    if (auto opened = core_->handles.find(handle)) {
      if (Status published = publish(*core_, {}, *(*opened)->file); !published) return done(published);
    }
  }
  core_->locks.set(node.inode(), wanted, wait, caller.unique, std::move(done));
}

void Filesystem::interrupt_lock(uint64_t unique) { core_->locks.interrupt(unique); }

}  // namespace weir::vfs
