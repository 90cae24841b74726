#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/limits.h"
#include "base/recent_table.h"
#include "vfs/types.h"

namespace weir::vfs {

/// Which attributes the kernel was told by a node id a moment ago. When another node removes the inode, whoever goes by
/// a name of it that the kernel still knows is shown these (docs/consistency.md, "Several nodes"): no error, for that
/// name may stand for another file by now and was never absent. Remembered for as long as the kernel may go by them,
/// and bounded; what there is no room for is not remembered. Thread-safe; never blocks.
class ToldAttributes {
 public:
  /// Requires: `clock` outlives this.
  ToldAttributes(Clock& clock, int64_t lifetime_ms)
      : clock_(clock), lifetime_ns_(lifetime_ms * 1'000'000), told_(clock, lifetime_ns_, limits::kToldNames) {}

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
  static constexpr uint64_t kGone = UINT64_MAX;

  void take(Told& told, uint64_t generation, const Attributes& attributes) const;

  Clock& clock_;
  const int64_t lifetime_ns_;
  RecentTable<uint64_t, Told> told_;  // by node id
};

}  // namespace weir::vfs
