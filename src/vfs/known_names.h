#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/limits.h"
#include "base/recent_table.h"
#include "model/ids.h"

namespace weir::vfs {

/// Which inode the kernel knows by a name, as far as it may still go by that: on a volume that several nodes share,
/// another one may have put a different file there. The kernel moves what it knows when it renames, so a rename must be
/// of that file. A name that was looked up just now may be in use still for what it stood for before. Remembered for a
/// little longer than the kernel may go by it, and bounded; of what there is no room for nothing is known. Thread-safe;
/// never blocks.
class KnownNames {
 public:
  /// Requires: `clock` outlives this.
  KnownNames(Clock& clock, int64_t lifetime_ms)
      : clock_(clock), kept_ns_(2 * lifetime_ms * 1'000'000), told_(clock, kept_ns_, limits::kToldNames) {}

  /// The kernel was told of it.
  void tell(InodeId parent, std::string_view name, InodeId inode);
  /// The kernel put it there itself.
  void put(InodeId parent, std::string_view name, InodeId inode);
  struct Known {
    InodeId inode;
    std::optional<InodeId> before{};  // that was known until a moment ago
    bool is(InodeId other) const { return inode == other && !before; }
  };
  /// Nothing: the kernel asks before it goes by the name.
  std::optional<Known> of(InodeId parent, std::string_view name) const;
  void forget(InodeId parent, std::string_view name);

 private:
  struct Told {
    InodeId inode;
    int64_t at_ns = 0;
    std::optional<InodeId> before{};
    int64_t changed_ns = 0;
  };
  void note(InodeId parent, std::string_view name, InodeId inode, bool by_kernel);
  static std::string key_of(InodeId parent, std::string_view name);

  Clock& clock_;
  const int64_t kept_ns_;
  RecentTable<std::string, Told> told_;
};

}  // namespace weir::vfs
