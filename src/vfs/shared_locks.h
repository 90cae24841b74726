#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/slot_table.h"
#include "base/thread_pool.h"
#include "cluster/messenger.h"
#include "meta/locks.h"
#include "vfs/lock_notes.h"
#include "vfs/locks.h"

namespace weir::vfs {

/// Locks among all nodes of a volume: they lie in its metadata (meta/locks.h). A lock that must be waited for is
/// granted by who releases, in its own transaction, and this node is told; that a message was lost shows at the next of
/// its own looks at the table, limits::kLockPollMs apart. When others took this node for dead and it is a member again,
/// with a higher epoch, what they gave away is reported as lost, and the rest is held on. docs/data-model.md, "Locks".
class SharedLocks : public Locks {
 public:
  struct Parts {
    meta::Volume& volume;
    std::function<uint64_t()> epoch;          // of this node, now
    cluster::Messenger* messenger = nullptr;  // null: nobody tells anybody
    SlotTable* slots = nullptr;               // of a predecessor; null: none
    /// Before a lock is granted: this node sees the file as others published it until now. With the inode as it was
    /// when it was granted, if it is known. Blocks; never called by a thread that answers the kernel.
    std::function<Status(InodeId, const std::optional<Inode>&)> revalidate;
    std::function<void(std::string)> report;  // something that a user must be told
  };

  /// Goes on with what `slots` say that a predecessor held, as far as others did not take it away; what an earlier life
  /// of this node held besides goes. Blocks.
  static Result<std::unique_ptr<SharedLocks>> start(Parts parts);
  /// Gives up all locks, and ends all waits.
  ~SharedLocks() override;

  Result<Lock> conflicting(InodeId inode, const Lock& wanted) override;
  void set(InodeId inode, const Lock& wanted, bool wait, uint64_t request, LockDone done) override;
  void interrupt(uint64_t request) override;
  void release_owner(InodeId inode, LockKind kind, uint64_t owner) override;
  bool may_hold(InodeId inode, LockKind kind, uint64_t owner) const override {
    return notes_.may_hold({inode, kind, owner});
  }
  bool are_shared() const override { return true; }

  /// Another node is dead, and what it held in `epoch` or before is free. Never blocks.
  void node_died(NodeId node, uint64_t epoch);

 private:
  /// One call that takes a lock, from set() to its answer.
  struct Wait {
    InodeId inode;
    NodeLock wanted;
    LockDone done;
    bool waits = false;
    bool in_table = false;  // among the waiters of the volume's table
    bool interrupted = false;
    bool looks_for_circle = false;
    bool busy = false;   // a thread works on it
    bool again = false;  // and has to look once more
    int64_t begun_ns = 0;
    int64_t looked_ns = 0;
  };
  /// What a thread knows of the wait it works on.
  struct Job {
    InodeId inode;
    NodeLock wanted;
    bool waits = false;
    bool in_table = false;
    bool interrupted = false;
    bool looks_for_circle = false;
    bool holds = true;  // for the notes, once it is over
  };
  struct DeadNode {
    NodeId node;
    uint64_t epoch = 0;
  };

  explicit SharedLocks(Parts parts);
  Status take_over();
  NodeLock node_lock(const Lock& lock) const;
  void submit(uint64_t request);
  /// Does what is to be done next for this call, until it is answered or has to wait.
  void advance(uint64_t request);
  bool take_job(uint64_t request, Job& job);
  /// The answer; nothing while it has to wait, or to be looked at again.
  std::optional<Status> step(uint64_t request, Job& job);
  std::optional<Status> enter(uint64_t request, Job& job);
  std::optional<Status> look(uint64_t request, Job& job);
  Status finish_granted(const Job& job, const std::optional<Inode>& inode);
  /// An error met while waiting: nothing when it may pass.
  std::optional<Status> unless_it_passes(const Error& problem);
  void release(InodeId inode, const Lock& wanted, const LockDone& done);
  void tell(const std::vector<meta::LockGrant>& grants);
  void heard(std::string_view body);
  void run();
  bool has_work() const REQUIRES(mutex_);
  void poll_waits();
  /// Of an inode whose table was `row` just now.
  void submit_if_due(uint64_t request, const meta::LockRow& row);
  void retry_releases();
  void bury_dead();
  /// After this node was taken for dead.
  void hold_on();
  void end_all();

  const Parts parts_;
  const NodeId node_;
  LockNotes notes_;
  mutable Mutex mutex_;
  ConditionVariable changed_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool failing_ GUARDED_BY(mutex_) = false;
  std::map<uint64_t, Wait> waits_ GUARDED_BY(mutex_);          // by request
  std::vector<LockNotes::Place> releases_ GUARDED_BY(mutex_);  // that failed
  std::vector<DeadNode> dead_ GUARDED_BY(mutex_);
  std::unique_ptr<ThreadPool> pool_;
  std::thread poller_;
  uint64_t epoch_ = 0;  // in which what is held is held; of the poller, once it runs
  std::unique_ptr<cluster::Messenger::Subscription> subscription_;
};

}  // namespace weir::vfs
