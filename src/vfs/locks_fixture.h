#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/random.h"
#include "base/shared_memory.h"
#include "cluster/memory/memory_network.h"
#include "kv/wrapped_engine.h"
#include "meta/volume_testing.h"
#include "vfs/lock_table.h"
#include "vfs/shared_locks.h"

/// Locks of several nodes in one process, for tests.
namespace weir::vfs {

inline constexpr uint64_t kToEnd = UINT64_MAX;

inline Lock posix(LockType type, uint64_t owner, uint64_t first, uint64_t last) {
  return {LockKind::kPosix, type, owner, first, last, static_cast<uint32_t>(owner)};
}
inline Lock flock_of(LockType type, uint64_t owner) { return {LockKind::kFlock, type, owner, 0, kToEnd, 1}; }

/// Nodes 1, 2, … of one volume, each with locks of its own. Every node's commits meet faults at these rates.
class LockNodes {
 public:
  LockNodes(meta::EngineKind kind, uint32_t count, kv::FaultRates rates = {}) : volume_(kind), nodes_(count) {
    for (uint32_t number = 1; number <= count; ++number) {
      Node& node = nodes_[number - 1];
      node.engine = std::make_unique<kv::FaultyEngine>(std::make_unique<kv::WrappedEngine>(volume_.engine()), number);
      node.messenger = network_.join(NodeId{number});
      start(NodeId{number});
      node.engine->set_rates(rates);
    }
  }
  ~LockNodes() {
    for (Node& node : nodes_) node.engine->set_rates({});
    for (Node& node : nodes_) node.locks.reset();
  }

  SharedLocks& of(NodeId id) { return *at(id).locks; }
  kv::FaultyEngine& engine(NodeId id) { return *at(id).engine; }
  cluster::MemoryNetwork& network() { return network_; }
  uint32_t count() const { return static_cast<uint32_t>(nodes_.size()); }
  uint64_t revalidations(NodeId id) { return at(id).revalidations; }
  void fail_revalidation(NodeId id, bool fails) { at(id).fails = fails; }
  std::vector<std::string> reports(NodeId id) {
    MutexLock lock(mutex_);
    return reports_[id];
  }
  meta::LockRow row(InodeId inode) { return meta::value_of(meta::lock_rows(volume_.volume(), {inode}))[0]; }

  /// As a clean unmount does it.
  void stop(NodeId id) { at(id).locks.reset(); }
  /// As if the process was killed: it gives up nothing.
  void kill(NodeId id) {
    at(id).engine->crash();
    at(id).locks.reset();
    at(id).engine->reopen();
  }
  /// `goes_on`: with what the shared memory has.
  void start(NodeId id, bool goes_on = false) {
    Node& node = at(id);
    if (!goes_on) node.memory = meta::value_of(SharedMemory::create());
    node.volume = meta::value_of(meta::Volume::open(*node.engine, id, clock_, random_));
    ++node.epoch;
    SharedLocks::Parts parts{*node.volume,
                             [&node] { return node.epoch.load(); },
                             node.messenger.get(),
                             &node.memory->locks(),
                             [&node](InodeId, const std::optional<Inode>&) -> Status {
                               ++node.revalidations;
                               if (node.fails) return error(Code::kUnavailable, "as the test wants it");
                               return {};
                             },
                             [this, id](std::string what) {
                               MutexLock lock(mutex_);
                               reports_[id].push_back(std::move(what));
                             }};
    node.locks = meta::value_of(SharedLocks::start(std::move(parts)));
  }
  /// Others took it for dead, and it found out.
  void raise_epoch(NodeId id) { ++at(id).epoch; }
  uint64_t epoch(NodeId id) { return at(id).epoch; }

 private:
  struct Node {
    std::unique_ptr<kv::FaultyEngine> engine;
    std::unique_ptr<meta::Volume> volume;
    std::shared_ptr<SharedMemory> memory;
    std::unique_ptr<cluster::Messenger> messenger;
    std::atomic<uint64_t> epoch = 0;
    std::atomic<uint64_t> revalidations = 0;
    std::atomic<bool> fails = false;
    std::unique_ptr<SharedLocks> locks;
  };
  Node& at(NodeId id) { return nodes_[id.value - 1]; }

  meta::TestVolume volume_;
  SystemClock clock_;
  SystemRandom random_;
  cluster::MemoryNetwork network_;
  Mutex mutex_;
  std::map<NodeId, std::vector<std::string>> reports_ GUARDED_BY(mutex_);
  std::vector<Node> nodes_;
};

/// What a test asked for: the answer, once there is one.
class LockCalls {
 public:
  using Outcome = std::shared_ptr<std::atomic<int>>;  // kOpen, or a Code, or kGranted
  static constexpr int kOpen = -2;
  static constexpr int kGranted = -1;

  Outcome set(Locks& locks, InodeId inode, const Lock& lock, bool wait) {
    auto outcome = std::make_shared<std::atomic<int>>(kOpen);
    last_request_ = ++requests_;
    locks.set(inode, lock, wait, last_request_, [outcome](const Status& status) {
      const int before = outcome->exchange(status ? kGranted : static_cast<int>(status.error().code));
      EXPECT_EQ(before, kOpen) << "called twice";
    });
    return outcome;
  }
  uint64_t last_request() const { return last_request_; }

 private:
  std::atomic<uint64_t> requests_ = 0;
  uint64_t last_request_ = 0;
};

inline bool is_open(const LockCalls::Outcome& outcome) { return *outcome == LockCalls::kOpen; }
inline bool is_granted(const LockCalls::Outcome& outcome) { return *outcome == LockCalls::kGranted; }
inline bool failed_with(const LockCalls::Outcome& outcome, Code code) { return *outcome == static_cast<int>(code); }

/// False: not within ten seconds.
inline bool comes_true(const std::function<bool()>& condition) {
  for (int i = 0; i < 5000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return false;
}
inline bool answered(const LockCalls::Outcome& outcome) {
  return comes_true([&] { return !is_open(outcome); });
}

}  // namespace weir::vfs
