#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/clock.h"
#include "base/mutex.h"
#include "meta/look_again.h"
#include "vfs/types.h"

namespace weir::vfs {

/// Who was told that a node id is of the past. The kernel looks the name up again and comes back with the new one; but
/// who opens without a name (/proc/self/fd, a mounted file) comes back with the old one, and shall be served then. A
/// request that could not be done for want of the metadata server is done anew, and gets the same answer from this.
/// Thread-safe; never blocks.
class StaleOpens {
 public:
  /// Requires: `clock` outlives this.
  explicit StaleOpens(Clock& clock) : clock_(clock) {}

  /// True: tell the caller so. False: it was told a moment ago.
  bool tell(const Caller& caller, KernelNode node);
  /// The caller's open() is answered with what is looked up for it here: as if it was told, and looked up itself.
  void is_looked_up_for(const Caller& caller);
  /// The same as tell() for who goes by a name in a directory.
  bool tell_of_name(const Caller& caller, InodeId parent, std::string_view name);
  /// The caller is told so when it asks for attributes: before it opens the name, or for nothing else.
  void told_of_attributes(const Caller& caller, KernelNode node);
  /// The caller asks for attributes. Of what it looked up it does so once in that call, be it an open() or not.
  void asks_attributes(const Caller& caller, InodeId inode);
  /// Somebody has looked the inode up and may be opening it, or may have wanted its attributes alone. Which, is seen by
  /// what the kernel asks for, so it shall keep no attributes of it, whoever gets them.
  bool is_in_doubt(InodeId inode);
  /// The caller looks a name up: if it was told a moment ago, because of that.
  void looks_up(const Caller& caller, InodeId parent, std::string_view name);
  /// The caller looked a name up, which stands for `inode`, or for nothing. Absent where it was known, the kernel looks
  /// it up once more. True: because it was told, so the kernel shall not go by the answer in a later call, which would
  /// come back by it.
  bool looked_up(const Caller& caller, InodeId parent, std::string_view name, const std::optional<Inode>& inode);
  /// What the caller, told a moment ago, has looked up since, as it was then: it goes on with that, gone or not. None:
  /// that was another inode, or another call.
  std::optional<Inode> goes_on_with(const Caller& caller, InodeId inode);
  struct ComesBack {
    bool again = false;            // it was told so, of any node id, and looked this one up since: true once
    std::optional<Inode> inode{};  // as it was looked up
    meta::NamePlace place{};       // by this name
  };
  /// Who was told when it asked for attributes, and has asked for them twice since, opens what it looked up for an
  /// earlier call: it does not come back.
  ComesBack comes_back(const Caller& caller, InodeId inode);

 private:
  struct Told {
    KernelNode node;
    int64_t at_ns = 0;
    bool of_attributes = false;
    bool in_doubt = false;                  // it may want attributes alone, or have found nothing and ended
    bool has_asked = false;                 // for the attributes of what it looked up last
    uint64_t asked = 0;                     // by this request
    bool looks_up = false;                  // since then
    std::optional<Inode> inode;             // that it looked up last
    meta::NamePlace place;                  // by this name
    int64_t looked_up_ns = 0;               // when
    std::optional<meta::NamePlace> absent;  // what it looked up last, in vain
    bool once_more = false;                 // what was absent
    uint64_t request = 0;                   // by which it came back; while it is done anew, that holds
  };
  struct ToldOfName {
    meta::NamePlace place;
    int64_t at_ns = 0;
    uint64_t request = 0;
  };

  void make_room() REQUIRES(mutex_);
  void doubt(InodeId inode) REQUIRES(mutex_);
  /// The caller has come back.
  void end(std::unordered_map<uint32_t, Told>::iterator told, const Caller& caller) REQUIRES(mutex_);

  Clock& clock_;
  std::atomic<bool> any_ = false;
  std::atomic<int64_t> in_doubt_until_ns_ = 0;  // of any inode
  Mutex mutex_;
  std::unordered_map<uint32_t, Told> told_ GUARDED_BY(mutex_);                 // by thread
  std::unordered_map<uint32_t, ToldOfName> told_of_names_ GUARDED_BY(mutex_);  // the same
  std::unordered_map<InodeId, int64_t> in_doubt_ GUARDED_BY(mutex_);           // until when
};

}  // namespace weir::vfs
