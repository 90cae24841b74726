#include "meta/unstored.h"

#include <algorithm>
#include <functional>

#include "base/limits.h"
#include "meta/content.h"
#include "meta/keys.h"
#include "meta/names.h"
#include "meta/rows.h"

namespace weir::meta {

namespace {

Status each_row(kv::Engine& engine, kv::KeyRange range, const std::function<Status(const kv::KeyValue&)>& visit) {
  for (;;) {
    ASSIGN_OR_RETURN(auto rows, engine.begin()->scan(range, limits::kScanRows));
    for (const kv::KeyValue& row : rows) TRY(visit(row));
    if (rows.size() < limits::kScanRows) return {};
    range = keys::behind(range, rows.back().key);
  }
}

}  // namespace

Result<std::vector<ChunkId>> duties_of_this_node(Volume& volume) {
  std::vector<ChunkId> chunks;
  TRY(each_row(volume.engine(), keys::all_of(keys::kDuty), [&](const kv::KeyValue& row) -> Status {
    ASSIGN_OR_RETURN(keys::DutyKey parts, keys::parse_duty(row.key));
    if (parts.node == volume.node()) chunks.push_back(parts.chunk);
    return {};
  }));
  return chunks;
}

Result<std::set<InodeId>> owners_of(kv::Engine& engine, const ChunkId& chunk) {
  std::set<InodeId> owners;
  TRY(each_row(engine, keys::references_of(chunk), [&](const kv::KeyValue& row) -> Status {
    auto key = keys::parse_reference(row.key);
    if (!key) return {};
    if (key->kind == keys::OwnerKind::kInode) {
      owners.insert(InodeId{key->owner});
      return {};
    }
    ASSIGN_OR_RETURN(auto value, engine.begin()->get(keys::page(PageId{key->owner})));
    auto page = value ? PageRow::decode(value->bytes) : error(Code::kNotFound, "page is gone");
    if (page) owners.insert(page->owner);
    return {};
  }));
  return owners;
}

Result<std::set<InodeId>> current_owners_of(Volume& volume, const ChunkId& chunk) {
  ASSIGN_OR_RETURN(std::set<InodeId> owners, owners_of(volume.engine(), chunk));
  for (auto owner = owners.begin(); owner != owners.end();) {
    auto inode = get_inode(volume, *owner);
    if (!inode && inode.error().code != Code::kNotFound) return Failure(inode.error());
    bool names = inode && inode->content.form != Content::Form::kInline;
    if (names) {
      ASSIGN_OR_RETURN(std::vector<ChunkId> chunks, load_chunks(volume, *inode));
      names = std::find(chunks.begin(), chunks.end(), chunk) != chunks.end();
    }
    owner = names ? std::next(owner) : owners.erase(owner);
  }
  return owners;
}

}  // namespace weir::meta
