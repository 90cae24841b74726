#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/mutex.h"
#include "base/random.h"
#include "base/result.h"
#include "kv/engine.h"
#include "meta/recent_directories.h"
#include "model/inode.h"
#include "model/records.h"

namespace weir::meta {

/// Names one mutating request of this node, so that doing it again after a lost reply or a restart does it once.
/// 0: the operation makes one up.
struct RequestId {
  uint64_t value = 0;
};

/// Asked inside a transaction whether anything on this node has the inode open.
using IsOpen = std::function<bool(InodeId)>;

class SlotPool;
class IdAllocator;

/// This node's `N` row, as its process last wrote it.
struct Membership {
  uint64_t epoch = 0;
  kv::Version version = 0;  // 0: nobody else can take the node away, so nothing is validated
  uint64_t fencings = 0;    // times that others found it dead in this process's life
};

/// What all metadata operations of one node on one volume share. The operations themselves are the functions of the
/// other headers of this folder. Thread-safe.
class Volume {
 public:
  /// Writes the settings, the root directory and what else an empty volume has. Exists when the database holds a
  /// volume.
  static Status format(kv::Engine& engine, const VolumeSettings& settings, uint32_t root_uid, uint32_t root_gid,
                       Clock& clock);
  /// Reads the settings. NotFound: not formatted. Unsupported: of a newer format; the sentence names both versions.
  /// Does not own its arguments, which must outlive it.
  static Result<std::unique_ptr<Volume>> open(kv::Engine& engine, NodeId node, Clock& clock, Random& random);
  ~Volume();

  kv::Engine& engine() { return engine_; }
  const VolumeSettings& settings() const { return settings_; }
  /// Of the settings row: every mutation validates it.
  kv::Version settings_version() const { return settings_version_.load(std::memory_order_acquire); }
  /// Takes note of another version of the settings row. Unsupported: this program may not write the volume any more.
  Status settings_changed(const std::optional<kv::Value>& row);
  NodeId node() const { return node_; }
  /// What every mutation validates besides.
  Membership membership() const;
  /// The node's row is this from now on. Takes effect for mutations that begin later.
  void join(Membership membership);
  /// `rejoin` is called, from the thread of a mutation, when the row turns out to be another's: it makes the node a
  /// member again by join(), or says why it cannot (Fenced). Before the first mutation.
  void on_fenced(std::function<Status()> rejoin) { rejoin_ = std::move(rejoin); }
  /// Looks whether this process is still the node. Fenced: it is not, and cannot be again.
  Status membership_changed(const std::optional<kv::Value>& row);
  Clock& clock() { return clock_; }
  Random& random() { return random_; }
  SlotPool& slots() { return *slots_; }
  RecentDirectories& recent_directories() { return recent_directories_; }
  /// Never handed out before, on any node. Takes a range from the engine now and then.
  Result<InodeId> new_inode_id();
  Result<PageId> new_page_id();
  /// For generations of chunks and ids of queue entries: as above.
  Result<uint64_t> new_serial();
  /// 63-bit SipHash of a name under the volume's key: the place in the directory where the search for it starts, and,
  /// but for collisions, its readdir cookie. From 3 to 2^63 - 2^16.
  uint64_t name_hash(std::string_view name) const;
  /// `B` rows of this node with a lower number were left by an earlier life of it.
  uint64_t first_publish() const { return first_publish_; }

 private:
  friend struct VolumeTesting;  // makes hashes collide
  Volume(kv::Engine& engine, VolumeSettings settings, NodeId node, Clock& clock, Random& random);

  kv::Engine& engine_;
  const VolumeSettings settings_;
  const NodeId node_;
  Clock& clock_;
  Random& random_;
  std::atomic<kv::Version> settings_version_ = 0;
  mutable Mutex membership_mutex_;
  Membership membership_ GUARDED_BY(membership_mutex_);
  std::function<Status()> rejoin_;
  uint64_t name_hash_mask_ = ~uint64_t{0};
  uint64_t first_publish_ = 0;
  std::unique_ptr<SlotPool> slots_;
  RecentDirectories recent_directories_{clock_};
  std::unique_ptr<IdAllocator> ids_;
};

}  // namespace weir::meta
