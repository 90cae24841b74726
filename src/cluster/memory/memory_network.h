#pragma once

#include <map>
#include <memory>
#include <set>
#include <utility>

#include "base/mutex.h"
#include "base/thread_pool.h"
#include "cluster/messenger.h"
#include "cluster/topics.h"

namespace weir::cluster {

/// Messengers of several nodes in one process, for tests.
/// Faults: cut() loses everything between two nodes, in both directions, until mend(); lose_next() loses that many of
/// the next messages, repeat_next() delivers that many twice. Thread-safe. Must outlive its messengers.
class MemoryNetwork {
 public:
  /// Requires: no messenger of that node is there. It leaves when it is destroyed.
  std::unique_ptr<Messenger> join(NodeId node);

  void cut(NodeId one, NodeId other);
  void mend(NodeId one, NodeId other);
  void lose_next(size_t messages);
  void repeat_next(size_t messages);
  /// Blocks: until everything told so far was handled, and what that told in turn.
  void drain();

 private:
  class Member;
  /// Hands a message to the node's own thread, as often as the faults say.
  void carry(NodeId from, NodeId to, std::string_view topic, std::string_view body);
  void leave(NodeId node);
  void handled();

  Mutex mutex_;
  ConditionVariable changed_;
  std::map<NodeId, Member*> members_ GUARDED_BY(mutex_);
  std::set<std::pair<NodeId, NodeId>> cuts_ GUARDED_BY(mutex_);
  size_t to_lose_ GUARDED_BY(mutex_) = 0;
  size_t to_repeat_ GUARDED_BY(mutex_) = 0;
  size_t on_their_way_ GUARDED_BY(mutex_) = 0;
};

}  // namespace weir::cluster
