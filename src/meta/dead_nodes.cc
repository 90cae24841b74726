#include "meta/dead_nodes.h"

#include "base/limits.h"
#include "meta/keys.h"
#include "meta/removal.h"
#include "model/node_info.h"

namespace weir::meta {

Result<std::vector<DeadNode>> dead_nodes(Volume& volume) {
  std::vector<DeadNode> dead;
  auto transaction = volume.engine().begin();
  for (kv::KeyRange range = keys::all_of(keys::kNode);;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(const NodeId node, keys::parse_node(row.key));
      ASSIGN_OR_RETURN(const NodeInfo info, NodeInfo::decode(row.bytes));
      if (node != volume.node() && !info.active) dead.push_back({node, row.version});
    }
    if (rows.size() < limits::kScanRows) return dead;
    range = keys::behind(range, rows.back().key);
  }
}

Status check_dead(kv::Transaction& transaction, const DeadNode& dead) {
  ASSIGN_OR_RETURN(auto row, transaction.get(keys::node(dead.node)));
  if (row && row->version == dead.version) return {};
  return error(Code::kStale, "node {} has come back", dead.node.value);
}

Status erase_orphan(Volume& volume, kv::Transaction& transaction, const DeadNode& dead, InodeId inode) {
  const Bytes mark_key = keys::orphan(dead.node, inode);
  ASSIGN_OR_RETURN(auto values, transaction.get_many({mark_key, keys::inode(inode)}));
  if (!values[0]) return {};
  transaction.erase(mark_key);
  if (!values[1]) return {};
  ASSIGN_OR_RETURN(Inode orphan, Inode::decode(inode, values[1]->bytes));
  if (orphan.link_count > 0) return {};
  return erase_inode(volume, transaction, orphan);
}

}  // namespace weir::meta
