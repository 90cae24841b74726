#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.h"
#include "base/mutex.h"
#include "meta/look_again.h"

namespace weir::vfs {

/// By which names the kernel was told of an inode a moment ago, and which generation of its content it was told of: on
/// a volume that several nodes share, open() looks whether all that still holds (docs/consistency.md, "Several nodes").
/// Remembered for a little longer than the kernel may go by it, and bounded. Thread-safe; never blocks.
class ToldNames {
 public:
  /// What is told may be gone by for this long. Requires: `clock` outlives this.
  ToldNames(Clock& clock, int64_t lifetime_ms) : clock_(clock), lifetime_ns_(lifetime_ms * 1'000'000) {}

  /// False: there is no room to remember it, so the kernel must not go by it.
  bool tell(InodeId inode, uint64_t generation, InodeId parent, std::string_view name);
  struct Told {
    std::vector<meta::NamePlace> names;
    std::vector<int64_t> times_ns;  // of each name, when it was told last
    uint64_t generation = 0;        // 0: of several at about the same time
    int64_t at_ns = 0;              // the last time
    int64_t mixed_ns = 0;           // when it was told of another generation than before
  };
  /// Nothing: no name that the kernel could go by.
  std::optional<Told> of(InodeId inode) const;
  void forget(InodeId inode, InodeId parent, std::string_view name);
  /// The kernel moved the name itself.
  void moved(InodeId inode, InodeId parent, std::string_view name, InodeId new_parent, std::string_view new_name);
  /// This node made content `after` of content `before`, as the kernel knows.
  void changed_here(InodeId inode, uint64_t before, uint64_t after);

 private:
  struct Shard {
    mutable Mutex mutex;
    std::unordered_map<InodeId, Told> recent GUARDED_BY(mutex);  // told since `since_ns`
    std::unordered_map<InodeId, Told> before GUARDED_BY(mutex);
    int64_t since_ns GUARDED_BY(mutex) = 0;
  };
  static constexpr size_t kShards = 16;

  Shard& shard_of(InodeId inode) { return shards_[inode.value % kShards]; }
  const Shard& shard_of(InodeId inode) const { return shards_[inode.value % kShards]; }
  void make_room(Shard& shard) REQUIRES(shard.mutex);
  /// False: too many names.
  bool add(Told& told, meta::NamePlace place) const;
  void drop_old_names(Told& told) const;

  Clock& clock_;
  const int64_t lifetime_ns_;
  std::array<Shard, kShards> shards_;
};

}  // namespace weir::vfs
