#pragma once

#include <set>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "meta/check_context.h"
#include "model/inode.h"
#include "model/records.h"

namespace weir::meta {

/// The part of check() about names and attributes: `D`, `T`, `X`, `O` rows against the inodes. Memory: about 100 bytes
/// an inode. Internal.
class TreeCheck {
 public:
  explicit TreeCheck(CheckContext& context) : context_(context) {}

  /// First every inode; one that cannot be decoded only counts as being there.
  void add_inode(const Inode& inode);
  void add_undecodable(InodeId inode) { undecodable_.insert(inode); }
  /// Then all names; afterwards paths are known.
  Status check_entries();
  Status check_deltas();
  Status check_xattrs();
  Status check_orphans();
  /// At the end.
  Status check_inodes();

 private:
  struct Seen {
    FileType type = FileType::kFile;
    uint32_t link_count = 0;
    uint32_t names = 0;
    bool has_xattrs = false;
    bool has_default_acl = false;
    bool orphan = false;
  };
  struct Directory {
    InodeId parent;        // as the inode says
    InodeId entry_parent;  // as the name says
    std::string name;
    int64_t entries = 0;
    int64_t subdirectories = 0;
    int64_t delta_entries = 0;
    int64_t delta_subdirectories = 0;
    bool counts_unknown = false;
  };
  /// The places of one directory that lie behind one another without a gap.
  struct Run {
    uint64_t directory = 0;
    uint64_t next = 0;            // the place that would continue it
    uint64_t reachable_from = 0;  // the lowest place from which a search gets to `next`
    std::vector<std::string> names;
  };

  bool exists(InodeId inode) const { return inodes_.contains(inode) || undecodable_.contains(inode); }
  bool is_directory(InodeId inode) const { return directories_.contains(inode); }
  /// "/a/b", or "inode 17/b" where the way up is not known.
  std::string path_of(InodeId directory) const;

  Status check_entry(const kv::KeyValue& row, const Dentry& dentry, Run& run);
  Status check_place(const kv::KeyValue& row, const keys::PairKey& parts, const Dentry& dentry, Run& run,
                     bool& misplaced);
  Fix move_entry(const kv::KeyValue& row, InodeId directory, const Dentry& dentry);
  Status check_target(const kv::KeyValue& row, InodeId parent, const Dentry& dentry);
  Status check_directory_target(InodeId parent, const Dentry& dentry);
  Status check_acl(const kv::KeyValue& row, const Inode& inode, const XattrRow& attribute, bool is_default);
  Status check_parent(InodeId directory, const Directory& state);
  Status check_counts(InodeId directory, const Directory& state);
  Status check_links(InodeId inode, const Seen& seen);
  Status check_flags(InodeId inode, const Seen& seen, const Seen& found);
  Status check_loops();
  /// Changes the counts that a directory's deltas add up to.
  Status adjust_counts(kv::Transaction& transaction, InodeId directory, int64_t entries, int64_t subdirectories);
  /// Gives a nameless inode a name in /lost+found.
  Status rescue(kv::Transaction& transaction, InodeId inode, FileType type);
  Fix change_inode(InodeId id, std::function<void(Inode&)> change);

  CheckContext& context_;
  std::unordered_map<InodeId, Seen> inodes_;
  std::unordered_map<InodeId, Directory> directories_;
  std::unordered_set<InodeId> undecodable_;
  std::unordered_map<InodeId, Seen> attributes_;                               // only the flags
  std::unordered_map<InodeId, std::pair<InodeId, std::string>> wanted_names_;  // parent and name
  std::set<std::pair<uint64_t, uint64_t>> moved_;  // entries put elsewhere: directory, cookie
  InodeId lost_and_found_;
};

}  // namespace weir::meta
