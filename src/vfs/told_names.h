#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/limits.h"
#include "base/recent_table.h"
#include "meta/look_again.h"
#include "vfs/types.h"

namespace weir::vfs {

/// By which names the kernel was told of an inode a moment ago, and which generation of its content it was told of: on
/// a volume that several nodes share, open() looks whether all that still holds (docs/consistency.md, "Several nodes").
/// Remembered for a little longer than the kernel may go by it, and bounded. Thread-safe; never blocks.
class ToldNames {
 public:
  /// What is told may be gone by for this long. Requires: `clock` outlives this.
  ToldNames(Clock& clock, int64_t lifetime_ms)
      : clock_(clock), lifetime_ns_(lifetime_ms * 1'000'000), told_(clock, 2 * lifetime_ns_, limits::kToldNames) {}

  /// False: there is no room to remember it, so the kernel must not go by it.
  bool tell(InodeId inode, uint64_t generation, InodeId parent, std::string_view name);
  struct Told {
    std::vector<meta::NamePlace> names;
    std::vector<int64_t> times_ns;  // of each name, when it was told last
    uint64_t generation = 0;        // 0: of several, and the kernel may go by any of them
    int64_t at_ns = 0;              // the last time
    int64_t mixed_ns = 0;           // when it was told of another generation than before
    struct Left {
      meta::NamePlace place;
      uint32_t thread = 0;
      int64_t at_ns = 0;
    };
    std::vector<Left> left{};  // names that were moved or forgotten, the last one last
  };
  /// Nothing: no name that the kernel could go by. Among them are names that `caller` may still go by though they were
  /// moved or forgotten, since the kernel has not taken the answer to that yet: not its own.
  std::optional<Told> of(InodeId inode, const Caller& caller) const;
  /// By a request of `caller`.
  void forget(const Caller& caller, InodeId inode, const meta::NamePlace& place);
  /// The kernel moves the name itself, by a request of `caller`.
  void moved(const Caller& caller, InodeId inode, const meta::NamePlace& from, const meta::NamePlace& to);
  /// This node made content `after` of content `before`, as the kernel knows.
  void changed_here(InodeId inode, uint64_t before, uint64_t after);

 private:
  /// False: too many names.
  bool add(Told& told, meta::NamePlace place) const;
  void drop_old_names(Told& told) const;
  /// False: it was not told of.
  bool leave(const Caller& caller, Told& told, const meta::NamePlace& place) const;

  Clock& clock_;
  const int64_t lifetime_ns_;
  RecentTable<InodeId, Told> told_;
};

}  // namespace weir::vfs
