#include "meta/load_chunks.h"

#include <algorithm>

#include "meta/keys.h"
#include "meta/rows.h"
#include "model/chunk.h"

namespace weir::meta {

namespace {

constexpr size_t kPagesAtOnce = 16;  // half a MiB

Error missing_page(kv::Transaction& transaction, const Inode& inode, PageId page) {
  auto value = transaction.get(keys::inode(inode.id));
  if (!value) return std::move(value).error();
  auto now = *value ? Inode::decode(inode.id, (*value)->bytes) : Result<Inode>(Inode());
  if (now && now->generation == inode.generation)
    return Error{Code::kCorrupt, fmt::format("page {} of inode {} is missing", page.value, inode.id.value)};
  return Error{Code::kConflict, fmt::format("generation {} of inode {} is gone", inode.generation, inode.id.value)};
}

}  // namespace

Result<std::vector<ChunkId>> load_chunks(kv::Transaction& transaction, const Inode& inode) {
  if (inode.content.form != Content::Form::kPages) return inode.content.chunks;
  const std::vector<PageId>& pages = inode.content.pages;
  const uint64_t total = chunk_count(inode.size);
  std::vector<ChunkId> chunks(total);
  for (size_t first = 0; first < pages.size(); first += kPagesAtOnce) {
    std::vector<Bytes> page_keys;
    std::vector<size_t> indexes;
    for (size_t index = first; index < std::min(first + kPagesAtOnce, pages.size()); ++index) {
      if (pages[index].value == 0) continue;
      page_keys.push_back(keys::page(pages[index]));
      indexes.push_back(index);
    }
    if (page_keys.empty()) continue;
    ASSIGN_OR_RETURN(auto values, transaction.get_many(page_keys));
    for (size_t i = 0; i < indexes.size(); ++i) {
      const PageId page = pages[indexes[i]];
      if (!values[i]) return Failure(missing_page(transaction, inode, page));
      ASSIGN_OR_RETURN(PageRow row, PageRow::decode(values[i]->bytes));
      const uint64_t begin = indexes[i] * limits::kPageChunkIds;
      if (row.chunks.size() != std::min<uint64_t>(limits::kPageChunkIds, total - begin))
        return error(Code::kCorrupt, "page {} of inode {} names {} chunks, which does not fit its size", page.value,
                     inode.id.value, row.chunks.size());
      std::copy(row.chunks.begin(), row.chunks.end(), chunks.begin() + static_cast<ptrdiff_t>(begin));
    }
  }
  return chunks;
}

Result<std::vector<ChunkId>> load_chunks(Volume& volume, const Inode& inode) {
  auto transaction = volume.engine().begin();
  auto chunks = load_chunks(*transaction, inode);
  if (!chunks && chunks.error().code == Code::kConflict) chunks.error().code = Code::kStale;
  return chunks;
}

}  // namespace weir::meta
