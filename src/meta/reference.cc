#include "meta/reference.h"

#include <algorithm>

#include "base/limits.h"
#include "meta/rows.h"
#include "model/inode.h"

namespace weir::meta {

namespace {

template <class T>
bool contains(const std::vector<T>& values, const T& wanted) {
  return std::find(values.begin(), values.end(), wanted) != values.end();
}

/// Nothing when it does not exist.
Result<std::optional<Inode>> find_inode(kv::Transaction& transaction, InodeId id) {
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::inode(id)));
  if (!value) return std::nullopt;
  return Inode::decode(id, value->bytes);
}

}  // namespace

Result<bool> page_is_current(kv::Transaction& transaction, PageId page) {
  ASSIGN_OR_RETURN(auto value, transaction.get(keys::page(page)));
  if (!value) return false;
  ASSIGN_OR_RETURN(PageRow row, PageRow::decode(value->bytes));
  // The build first: when it is over by then, the inode shows what it came to.
  ASSIGN_OR_RETURN(auto build_value, transaction.get(keys::build(row.builder, row.publish)));
  if (build_value) {
    ASSIGN_OR_RETURN(BuildRow build, BuildRow::decode(build_value->bytes));
    if (contains(build.pages, page)) return true;
  }
  ASSIGN_OR_RETURN(auto inode, find_inode(transaction, row.owner));
  return inode && contains(inode->content.pages, page);
}

Result<bool> reference_is_current(kv::Transaction& transaction, const keys::ReferenceKey& reference) {
  if (reference.kind == keys::OwnerKind::kPage) return page_is_current(transaction, PageId{reference.owner});
  ASSIGN_OR_RETURN(auto inode, find_inode(transaction, InodeId{reference.owner}));
  return inode && contains(inode->content.chunks, reference.chunk);
}

Result<bool> any_reference_is_current(kv::Transaction& transaction, const ChunkId& chunk) {
  kv::KeyRange range = keys::references_of(chunk);
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, transaction.scan(range, limits::kReferencesAtOnce));
    for (const kv::KeyValue& row : rows) {
      ASSIGN_OR_RETURN(keys::ReferenceKey reference, keys::parse_reference(row.key));
      ASSIGN_OR_RETURN(bool current, reference_is_current(transaction, reference));
      if (current) return true;
    }
    if (rows.size() < limits::kReferencesAtOnce) return false;
    range = keys::behind(range, rows.back().key);
  }
}

}  // namespace weir::meta
