#include "daemon/check/paths.h"

#include <unordered_map>

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/rows.h"
#include "model/records.h"

namespace weir {

namespace {

struct Place {
  InodeId parent;
  std::string name;
};
using Places = std::unordered_map<InodeId, Place>;

/// Calls `visit` with every row of the range.
Status each_row(kv::Engine& engine, kv::KeyRange range, const std::function<Status(const kv::KeyValue&)>& visit) {
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, engine.begin()->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) TRY(visit(row));
    if (rows.size() < limits::kScanRows) return {};
    range = meta::keys::behind(range, rows.back().key);
  }
}

std::string path_of(InodeId inode, const Places& places) {
  std::string path;
  // Directories that contain each other would be a loop; a check must survive it.
  for (int depth = 0; inode != kRootInode && depth < 4096; ++depth) {
    auto place = places.find(inode);
    if (place == places.end()) return "?" + path;
    path = "/" + place->second.name + path;
    inode = place->second.parent;
  }
  return path.empty() ? "/" : path;
}

}  // namespace

Result<std::map<InodeId, std::string>> find_paths(kv::Engine& engine, const std::set<InodeId>& inodes) {
  Places places;
  TRY(each_row(engine, meta::keys::all_of(meta::keys::kEntry), [&](const kv::KeyValue& row) -> Status {
    auto key = meta::keys::parse_pair(row.key);
    auto entry = Dentry::decode(row.bytes);
    if (!key || !entry) return {};  // reported by the check of the metadata
    if (entry->type == FileType::kDirectory || inodes.contains(entry->inode))
      places.try_emplace(entry->inode, Place{InodeId{key->first}, entry->name});
    return {};
  }));
  std::map<InodeId, std::string> paths;
  for (InodeId inode : inodes)
    if (inode == kRootInode || places.contains(inode)) paths[inode] = path_of(inode, places);
  return paths;
}

}  // namespace weir
