#include "meta/check_tree.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/acl.h"
#include "meta/attributes.h"
#include "meta/entries.h"
#include "meta/names.h"

namespace weir::meta {

namespace {

constexpr std::string_view kLostAndFound = "lost+found";

/// Rows that check() itself writes for counts.
constexpr uint32_t kRepairSlot = 0;

}  // namespace

void TreeCheck::add_inode(const Inode& inode) {
  context_.saw_number(keys::CounterKind::kInode, inode.id.value);
  ++context_.counts().inodes;
  Seen seen;
  seen.type = inode.type;
  seen.link_count = inode.link_count;
  seen.has_xattrs = inode.has_xattrs;
  seen.has_default_acl = inode.has_default_acl;
  inodes_[inode.id] = seen;
  if (inode.type != FileType::kDirectory) return;
  ++context_.counts().directories;
  directories_[inode.id].parent = inode.parent;
}

std::string TreeCheck::path_of(InodeId directory) const {
  std::vector<std::string_view> names;
  for (size_t depth = 0; directory != kRootInode; ++depth) {
    auto found = directories_.find(directory);
    if (found == directories_.end() || found->second.name.empty() || depth > limits::kPathShown)
      return fmt::format("inode {}{}{}", directory.value, names.empty() ? "" : "/",
                         fmt::join(names.rbegin(), names.rend(), "/"));
    names.push_back(found->second.name);
    directory = found->second.entry_parent;
  }
  return fmt::format("/{}", fmt::join(names.rbegin(), names.rend(), "/"));
}

Fix TreeCheck::change_inode(InodeId id, std::function<void(Inode&)> change) {
  return [id, change = std::move(change)](kv::Transaction& transaction) -> Status {
    ASSIGN_OR_RETURN(auto value, transaction.get(keys::inode(id)));
    if (!value) return {};
    ASSIGN_OR_RETURN(Inode inode, Inode::decode(id, value->bytes));
    change(inode);
    transaction.put(keys::inode(id), inode.encode());
    return {};
  };
}

Status TreeCheck::adjust_counts(kv::Transaction& transaction, InodeId directory, int64_t entries,
                                int64_t subdirectories) {
  const Bytes key = keys::delta(directory, context_.volume().node(), kRepairSlot);
  ASSIGN_OR_RETURN(auto value, transaction.get(key));
  DirectoryDelta delta;
  if (value) {
    ASSIGN_OR_RETURN(delta, DirectoryDelta::decode(value->bytes));
  }
  delta.entries += entries;
  delta.subdirectories += subdirectories;
  transaction.put(key, delta.encode());
  return {};
}

Status TreeCheck::check_entries() {
  Run run;
  TRY(context_.for_each_decoded<Dentry>(
      keys::kEntry, [&](const kv::KeyValue& row, const Dentry& dentry) { return check_entry(row, dentry, run); }));
  for (const auto& [inode, name] : wanted_names_) {
    const std::string parent = path_of(name.first);
    context_.set_path(inode, fmt::format("{}{}{}", parent, parent.ends_with('/') ? "" : "/", name.second));
  }
  context_.paths_are_known();
  return {};
}

Status TreeCheck::check_entry(const kv::KeyValue& row, const Dentry& dentry, Run& run) {
  auto parts = keys::parse_pair(row.key);
  if (!parts) return context_.found_undecodable(row, parts.error());
  const InodeId parent{parts->first};
  bool misplaced = false;
  TRY(check_place(row, *parts, dentry, run, misplaced));
  if (misplaced || dentry.inode.value == 0) return {};
  if (undecodable_.contains(parent)) directories_[parent].counts_unknown = true;
  if (!is_directory(parent)) {
    return context_.found(
        "stray_entry",
        fmt::format("the name '{}' lies in inode {}, which is not a directory", dentry.name, parent.value), InodeId{},
        [&](kv::Transaction& transaction) -> Status {
          transaction.erase(row.key);
          return {};
        });
  }
  ++context_.counts().entries;
  return check_target(row, parent, dentry);
}

Status TreeCheck::check_place(const kv::KeyValue& row, const keys::PairKey& parts, const Dentry& dentry, Run& run,
                              bool& misplaced) {
  if (run.directory != parts.first || run.next != parts.second) run = Run{parts.first, parts.second, parts.second, {}};
  const InodeId directory{parts.first};
  if (moved_.contains({parts.first, parts.second})) {
    misplaced = true;  // looked at where it was before
  } else if (dentry.inode.value != 0) {
    const uint64_t start = context_.volume().name_hash(dentry.name);
    const bool reachable = start >= run.reachable_from && start <= parts.second;
    const bool duplicate = std::find(run.names.begin(), run.names.end(), dentry.name) != run.names.end();
    misplaced = !reachable || duplicate;
    if (duplicate) {
      TRY(context_.found("duplicate_entry",
                         fmt::format("the name '{}' is twice in directory {}", dentry.name, directory.value), InodeId{},
                         nullptr));
    } else if (!reachable) {
      TRY(context_.found(
          "unreachable_entry",
          fmt::format("the name '{}' in directory {} lies where nobody looks", dentry.name, directory.value), InodeId{},
          move_entry(row, directory, dentry)));
    }
    if (is_directory(directory) && misplaced) {
      // It counts all the same: mended, it is a name like any other.
      ++context_.counts().entries;
      TRY(check_target(row, directory, dentry));
    }
    run.names.push_back(dentry.name);
  }
  run.next = parts.second + 1;
  if (!dentry.continues) {
    run.reachable_from = run.next;
    run.names.clear();
  }
  return {};
}

Fix TreeCheck::move_entry(const kv::KeyValue& row, InodeId directory, const Dentry& dentry) {
  return [this, key = row.key, directory, dentry](kv::Transaction& transaction) -> Status {
    const Volume& volume = context_.volume();
    ASSIGN_OR_RETURN(auto first, transaction.get(first_entry_key(volume, directory, dentry.name)));
    ASSIGN_OR_RETURN(EntryPlace place, find_entry(volume, transaction, directory, dentry.name, first));
    if (place.entry) return error(Code::kExists, "'{}' is twice in directory {}", dentry.name, directory.value);
    put_entry(transaction, directory, place, dentry.name, dentry.inode, dentry.type);
    if (dentry.continues) {
      transaction.put(key, Dentry{InodeId{0}, FileType::kFile, {}, true}.encode());
    } else {
      transaction.erase(key);
    }
    moved_.insert({directory.value, place.cookie});
    return {};
  };
}

Status TreeCheck::check_target(const kv::KeyValue& row, InodeId parent, const Dentry& dentry) {
  Directory& directory = directories_[parent];
  if (context_.wants_path(dentry.inode)) wanted_names_[dentry.inode] = {parent, dentry.name};
  const int64_t as_directory = dentry.type == FileType::kDirectory ? 1 : 0;
  if (!exists(dentry.inode)) {
    if (!context_.repairs()) {
      ++directory.entries;
      directory.subdirectories += as_directory;
    }
    return context_.found("dangling_entry",
                          fmt::format("the name '{}' in directory {} stands for inode {}, which does not exist",
                                      dentry.name, parent.value, dentry.inode.value),
                          InodeId{}, [&](kv::Transaction& transaction) -> Status {
                            auto parts = keys::parse_pair(row.key);
                            erase_entry(transaction, parent, EntryPlace{parts->second, dentry, dentry.continues, {}});
                            return adjust_counts(transaction, parent, -1, -as_directory);
                          });
  }
  ++directory.entries;
  auto found = inodes_.find(dentry.inode);
  if (found == inodes_.end()) {
    directory.subdirectories += as_directory;
    return {};
  }
  Seen& target = found->second;
  if (target.type == FileType::kDirectory) ++directory.subdirectories;
  ++target.names;
  if (target.type != dentry.type) {
    TRY(context_.found("wrong_entry_type",
                       fmt::format("the name '{}' in directory {} says another type than inode {}", dentry.name,
                                   parent.value, dentry.inode.value),
                       dentry.inode, [&](kv::Transaction& transaction) -> Status {
                         Dentry mended = dentry;
                         mended.type = target.type;
                         transaction.put(row.key, mended.encode());
                         return {};
                       }));
  }
  if (target.type != FileType::kDirectory) return {};
  return check_directory_target(parent, dentry);
}

Status TreeCheck::check_directory_target(InodeId parent, const Dentry& dentry) {
  Directory& child = directories_[dentry.inode];
  const bool second = inodes_[dentry.inode].names > 1 || dentry.inode == kRootInode;
  if (!second || child.parent == parent) {
    child.entry_parent = parent;
    child.name = dentry.name;
  }
  if (!second) return {};
  return context_.found(
      "directory_with_two_names",
      fmt::format("directory {} has a second name '{}' in directory {}", dentry.inode.value, dentry.name, parent.value),
      InodeId{}, nullptr);
}

Status TreeCheck::check_parent(InodeId id, const Directory& state) {
  auto seen = inodes_.find(id);
  if (seen == inodes_.end() || seen->second.names != 1 || state.parent == state.entry_parent) return {};
  return context_.found("wrong_parent",
                        fmt::format("directory {} ({}) says that its parent is {}, not {}", id.value, path_of(id),
                                    state.parent.value, state.entry_parent.value),
                        InodeId{},
                        change_inode(id, [parent = state.entry_parent](Inode& inode) { inode.parent = parent; }));
}

Status TreeCheck::check_deltas() {
  return context_.for_each(keys::all_of(keys::kDelta), [&](const kv::KeyValue& row) -> Status {
    auto parts = keys::parse_delta(row.key);
    if (!parts) return context_.found_undecodable(row, parts.error());
    auto delta = DirectoryDelta::decode(row.bytes);
    auto directory = directories_.find(parts->directory);
    if (!delta) {
      if (directory != directories_.end()) directory->second.counts_unknown = true;
      return context_.found_undecodable(row, delta.error());
    }
    if (directory == directories_.end()) {
      if (undecodable_.contains(parts->directory)) return {};
      return context_.found(
          "stray_delta", fmt::format("there are counts of directory {}, which does not exist", parts->directory.value),
          InodeId{}, [&](kv::Transaction& transaction) -> Status {
            transaction.erase(row.key);
            return {};
          });
    }
    directory->second.delta_entries += delta->entries;
    directory->second.delta_subdirectories += delta->subdirectories;
    return {};
  });
}

Status TreeCheck::check_xattrs() {
  return context_.for_each_decoded<XattrRow>(
      keys::kXattr, [&](const kv::KeyValue& row, const XattrRow& attribute) -> Status {
        auto parts = keys::parse_xattr(row.key);
        if (!parts) return context_.found_undecodable(row, parts.error());
        if (undecodable_.contains(parts->inode)) return {};
        if (!inodes_.contains(parts->inode)) {
          return context_.found("stray_attribute",
                                fmt::format("there is an attribute '{}' of inode {}, which does not exist", parts->name,
                                            parts->inode.value),
                                InodeId{}, [&](kv::Transaction& transaction) -> Status {
                                  transaction.erase(row.key);
                                  return {};
                                });
        }
        Seen& flags = attributes_[parts->inode];
        flags.has_xattrs = true;
        const bool is_default = parts->name == kDefaultAcl;
        if (is_default) flags.has_default_acl = true;
        if (!is_default && parts->name != kAccessAcl) return {};
        ASSIGN_OR_RETURN(auto values, context_.get_many({keys::inode(parts->inode)}));
        if (!values[0]) return {};
        ASSIGN_OR_RETURN(Inode inode, Inode::decode(parts->inode, values[0]->bytes));
        return check_acl(row, inode, attribute, is_default);
      });
}

Status TreeCheck::check_acl(const kv::KeyValue&, const Inode& inode, const XattrRow& attribute, bool is_default) {
  auto acl = Acl::parse(attribute.value);
  if (!acl || acl->empty()) {
    return context_.found("wrong_acl", fmt::format("an access control list of inode {} is malformed", inode.id.value),
                          inode.id, nullptr);
  }
  if (is_default || acl->permission_bits() == (inode.mode & 0777)) return {};
  return context_.found("acl_differs_from_mode",
                        fmt::format("the access control list of inode {} does not go with its mode", inode.id.value),
                        inode.id, change_inode(inode.id, [bits = acl->permission_bits()](Inode& mended) {
                          mended.mode = (mended.mode & ~0777u) | bits;
                        }));
}

Status TreeCheck::check_orphans() {
  return context_.for_each_decoded<MarkRow>(keys::kOrphan, [&](const kv::KeyValue& row, const MarkRow&) -> Status {
    auto parts = keys::parse_pair(row.key);
    if (!parts) return context_.found_undecodable(row, parts.error());
    const InodeId id{parts->second};
    auto inode = inodes_.find(id);
    if (inode != inodes_.end() && inode->second.link_count == 0) {
      inode->second.orphan = true;
      return {};
    }
    if (undecodable_.contains(id)) return {};
    return context_.found("stray_orphan", fmt::format("inode {} is marked as unlinked but open, and is not", id.value),
                          inode != inodes_.end() ? id : InodeId{}, [&](kv::Transaction& transaction) -> Status {
                            transaction.erase(row.key);
                            return {};
                          });
  });
}

Status TreeCheck::check_inodes() {
  TRY(check_loops());
  for (const auto& [id, state] : directories_) {
    TRY(check_parent(id, state));
    TRY(check_counts(id, state));
  }
  for (const auto& [id, seen] : inodes_) {
    TRY(check_links(id, seen));
    TRY(check_flags(id, seen, attributes_[id]));
  }
  if (!inodes_.contains(kRootInode) && !undecodable_.contains(kRootInode))
    TRY(context_.found("no_root", "the root directory is missing", InodeId{}, nullptr));
  return {};
}

Status TreeCheck::check_counts(InodeId id, const Directory& state) {
  const int64_t entries = state.entries - state.delta_entries;
  const int64_t subdirectories = state.subdirectories - state.delta_subdirectories;
  if (state.counts_unknown || (entries == 0 && subdirectories == 0)) return {};
  return context_.found(
      "wrong_entry_count",
      fmt::format("directory {} ({}) has {} entries and {} subdirectories, its counts say {} and {}", id.value,
                  path_of(id), state.entries, state.subdirectories, state.delta_entries, state.delta_subdirectories),
      InodeId{}, [&](kv::Transaction& transaction) { return adjust_counts(transaction, id, entries, subdirectories); });
}

Status TreeCheck::check_links(InodeId id, const Seen& seen) {
  if (id == kRootInode) return {};
  const bool directory = seen.type == FileType::kDirectory;
  if (seen.names == 0 && seen.link_count == 0) {
    if (seen.orphan) return {};
    return context_.found("lost_inode", fmt::format("inode {} was unlinked and never removed", id.value), InodeId{},
                          [&](kv::Transaction& transaction) -> Status {
                            transaction.put(keys::orphan(context_.volume().node(), id), MarkRow().encode());
                            return {};
                          });
  }
  if (seen.names == 0) {
    return context_.found("lost_inode", fmt::format("inode {} has no name", id.value), InodeId{},
                          [&](kv::Transaction& transaction) { return rescue(transaction, id, seen.type); });
  }
  const uint32_t expected = directory ? 2 : seen.names;
  if (seen.link_count == expected) return {};
  return context_.found(
      "wrong_link_count",
      fmt::format("inode {} has {} names and counts {}", id.value, directory ? 1 : seen.names, seen.link_count),
      InodeId{}, change_inode(id, [expected](Inode& inode) { inode.link_count = expected; }));
}

Status TreeCheck::check_flags(InodeId id, const Seen& seen, const Seen& found) {
  if (seen.has_xattrs == found.has_xattrs && seen.has_default_acl == found.has_default_acl) return {};
  return context_.found("wrong_attribute_flags",
                        fmt::format("inode {} does not say right whether it has attributes", id.value), InodeId{},
                        change_inode(id, [found](Inode& inode) {
                          inode.has_xattrs = found.has_xattrs;
                          inode.has_default_acl = found.has_default_acl;
                        }));
}

Status TreeCheck::check_loops() {
  // 1: on the way up from the directory being looked at; 2: known to lead to the root or to a loop that was reported.
  std::unordered_map<InodeId, int> state;
  for (const auto& [start, unused] : directories_) {
    std::vector<InodeId> way;
    InodeId current = start;
    while (current != kRootInode && state[current] == 0 && directories_.contains(current) &&
           directories_[current].entry_parent.value != 0) {
      state[current] = 1;
      way.push_back(current);
      current = directories_[current].entry_parent;
    }
    if (current != kRootInode && state[current] == 1) {
      TRY(context_.found("directory_loop", fmt::format("directory {} lies below itself", current.value), InodeId{},
                         nullptr));
    }
    for (InodeId passed : way) state[passed] = 2;
  }
  return {};
}

Status TreeCheck::rescue(kv::Transaction& transaction, InodeId id, FileType type) {
  if (lost_and_found_.value == 0) {
    auto made = make(context_.volume(), {}, kRootInode, kLostAndFound, {.type = FileType::kDirectory, .mode = 0700});
    if (!made && made.error().code == Code::kExists) made = lookup(context_.volume(), kRootInode, kLostAndFound);
    if (!made) return Failure(std::move(made).error());
    lost_and_found_ = made->id;
  }
  const std::string name = fmt::format("#{}", id.value);
  ASSIGN_OR_RETURN(auto first, transaction.get(first_entry_key(context_.volume(), lost_and_found_, name)));
  ASSIGN_OR_RETURN(EntryPlace place, find_entry(context_.volume(), transaction, lost_and_found_, name, first));
  if (place.entry) return error(Code::kExists, "/{}/{} exists already", kLostAndFound, name);
  put_entry(transaction, lost_and_found_, place, name, id, type);
  TRY(adjust_counts(transaction, lost_and_found_, 1, type == FileType::kDirectory ? 1 : 0));
  return change_inode(id, [&](Inode& inode) {
    inode.link_count = type == FileType::kDirectory ? 2 : 1;
    if (type == FileType::kDirectory) inode.parent = lost_and_found_;
  })(transaction);
}

}  // namespace weir::meta
