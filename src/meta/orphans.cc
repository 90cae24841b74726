#include "base/limits.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/parent.h"
#include "meta/removal.h"
#include "meta/run_transaction.h"

namespace weir::meta {

Status release_orphan(Volume& volume, RequestId request, InodeId inode) {
  const Bytes mark_key = keys::orphan(volume.node(), inode);
  TRY(run_transaction(volume, request, [&](Attempt& attempt) -> Status {
    ASSIGN_OR_RETURN(auto values, attempt.transaction.get_many({mark_key, keys::inode(inode)}));
    if (!values[0]) return {};
    attempt.transaction.erase(mark_key);
    if (!values[1]) return {};
    ASSIGN_OR_RETURN(Inode orphan, Inode::decode(inode, values[1]->bytes));
    if (orphan.link_count > 0) return {};
    return erase_inode(volume, attempt.transaction, orphan);
  }));
  return {};
}

Result<std::vector<InodeId>> orphans_of_this_node(Volume& volume) {
  auto transaction = volume.engine().begin();
  std::vector<InodeId> orphans;
  kv::KeyRange range = keys::orphans_of(volume.node());
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(keys::PairKey parts, keys::parse_pair(row.key));
      orphans.push_back(InodeId{parts.second});
    }
    if (rows.size() < limits::kScanRows) return orphans;
    range = keys::behind(range, rows.back().key);
  }
}

}  // namespace weir::meta
