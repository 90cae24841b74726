#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "vfs/types.h"

namespace weir::vfs {

/// Which attributes the kernel was told by a node id a moment ago. When another node removes the inode, whoever goes by
/// a name of it that the kernel still knows is shown these (docs/consistency.md, "Several nodes"): no error, for that
/// name may stand for another file by now and was never absent. Remembered for as long as the kernel may go by them,
/// and bounded; what there is no room for is not remembered. Thread-safe; never blocks.
class ToldAttributes {
 public:
  /// Requires: `clock` outlives this.
  ToldAttributes(Clock& clock, int64_t lifetime_ms) : clock_(clock), lifetime_ns_(lifetime_ms * 1'000'000) {}

  /// `generation` is that of the content; an older one than was told already says nothing.
  void tell(KernelNode node, uint64_t generation, const Attributes& attributes);
  /// Attributes that changed here, of a node id that the kernel may have been told of: what it was told is out of date.
  void changed(KernelNode node, uint64_t generation, const Attributes& attributes);
  void forget(KernelNode node);
  /// The inode is not there any more, and nothing that was read of it before is to be shown, told from now on or not.
  void gone(KernelNode node);
  /// Nothing, if it is longer than one lifetime ago.
  std::optional<Attributes> of(KernelNode node) const;

 private:
  struct Told {
    uint64_t generation = 0;  // kGone: there is none
    int64_t at_ns = 0;
    Attributes attributes;
  };
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<uint64_t, Told> recent GUARDED_BY(mutex);  // by node id; told since `since_ns`
    std::unordered_map<uint64_t, Told> before GUARDED_BY(mutex);
    int64_t since_ns GUARDED_BY(mutex) = 0;
  };
  static constexpr size_t kShards = 16;
  static constexpr uint64_t kGone = UINT64_MAX;

  Shard& shard_of(KernelNode node) { return shards_[node.value % kShards]; }
  const Shard& shard_of(KernelNode node) const { return shards_[node.value % kShards]; }
  void make_room(Shard& shard) REQUIRES(shard.mutex);
  void keep(Shard& shard, KernelNode node, const Told& told) REQUIRES(shard.mutex);

  Clock& clock_;
  const int64_t lifetime_ns_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::vfs
