#include <algorithm>
#include <map>

#include "base/limits.h"
#include "base/log.h"
#include "meta/keys.h"
#include "meta/load_chunks.h"
#include "meta/parent.h"
#include "meta/publish_parts.h"
#include "meta/removal.h"
#include "meta/rows.h"
#include "model/chunk.h"

namespace weir::meta {

namespace {

using PageChunks = std::vector<ChunkId>;

/// The part of a content's chunk ids that page `index` holds.
PageChunks slice(const std::vector<ChunkId>& chunks, size_t index) {
  const size_t first = std::min(index * limits::kPageChunkIds, chunks.size());
  const size_t end = std::min(first + limits::kPageChunkIds, chunks.size());
  return PageChunks(chunks.begin() + static_cast<ptrdiff_t>(first), chunks.begin() + static_cast<ptrdiff_t>(end));
}

bool all_holes(const PageChunks& chunks) {
  return std::all_of(chunks.begin(), chunks.end(), [](const ChunkId& id) { return id.is_zero(); });
}

/// One publish in steps. The `B` row lists its pages from before the first is written until the inode names them.
class PagedPublish {
 public:
  PagedPublish(Volume& volume, RequestId request, const Publish& change, const Offer& offer, uint64_t serial)
      : volume_(volume),
        request_(request),
        change_(change),
        offer_(offer),
        serial_(serial),
        build_key_(keys::build(volume.node(), serial)) {}
  ~PagedPublish() {
    if (announced_ && !undone_) abandon();
  }

  /// Conflict: others found this node dead meanwhile and gave up what was built, so it begins anew.
  Result<std::optional<Published>> run() {
    auto published = run_steps();
    if (!published && undone_) return error(Code::kConflict, "{}", published.error().what);
    return published;
  }

 private:
  Result<std::optional<Published>> run_steps() {
    for (int attempt = 0; attempt < limits::kTransactionAttempts; ++attempt) {
      ASSIGN_OR_RETURN(Step planned, tolerate_changed_base(plan()));
      if (planned == Step::kBaseChanged) continue;
      if (content_.form != Content::Form::kPages) return std::nullopt;
      TRY(announce());
      ASSIGN_OR_RETURN(Step built, tolerate_changed_base(build_pages()));
      if (built == Step::kBaseChanged) continue;
      ASSIGN_OR_RETURN(Step switched, switch_inode());
      if (switched == Step::kDone) return std::move(published_);
    }
    return error(Code::kUnavailable, "gave up publishing inode {}: others keep changing it", change_.inode.value);
  }

  enum class Step { kDone, kBaseChanged };
  struct Planned {
    PageId id;
    PageChunks chunks;
    bool written = false;
  };

  /// A step may fail because the content it works from was superseded and collected.
  Result<Step> tolerate_changed_base(Status status) {
    if (status) return Step::kDone;
    if (status.error().code == Code::kConflict) return Step::kBaseChanged;
    if (status.error().code == Code::kUnavailable) {
      ASSIGN_OR_RETURN(Inode now, read_inode(*volume_.engine().begin(), change_.inode));
      if (now.generation != base_.generation) return Step::kBaseChanged;
    }
    return Failure(std::move(status).error());
  }

  /// Reads what is there and decides what becomes of each page: kept, a hole, or one to write.
  Status plan() {
    auto transaction = volume_.engine().begin();
    ASSIGN_OR_RETURN(base_, read_inode(*transaction, change_.inode));
    if (base_.type != FileType::kFile) return error(Code::kInvalid, "inode {} is not a file", change_.inode.value);
    ASSIGN_OR_RETURN(const std::vector<ChunkId> base_chunks, load_chunks(*transaction, base_));
    ASSIGN_OR_RETURN(content_, apply_change(base_, base_chunks, change_));
    if (content_.form != Content::Form::kPages) return {};

    std::map<size_t, Planned> before = std::move(planned_);
    planned_.clear();
    pages_.clear();
    for (size_t index = 0; index * limits::kPageChunkIds < content_.chunks.size(); ++index) {
      PageChunks chunks = slice(content_.chunks, index);
      if (all_holes(chunks)) {
        pages_.push_back(PageId{0});
      } else if (index < base_.content.pages.size() && chunks == slice(base_chunks, index)) {
        pages_.push_back(base_.content.pages[index]);
      } else {
        auto reused = before.extract(index);
        if (!reused.empty() && reused.mapped().chunks == chunks) {
          planned_.insert(std::move(reused));
        } else {
          if (!reused.empty()) discarded_.push_back(reused.mapped().id);
          ASSIGN_OR_RETURN(PageId id, volume_.new_page_id());
          planned_[index] = Planned{id, std::move(chunks), false};
        }
        pages_.push_back(planned_[index].id);
      }
    }
    for (const auto& [index, page] : before) discarded_.push_back(page.id);
    return {};
  }

  /// Writes the `B` row with the pages of the plan, and gives up those of plans before.
  Status announce() {
    if (planned_.empty() && !announced_) return {};
    BuildRow row;
    row.inode = change_.inode;
    for (const auto& [index, page] : planned_) row.pages.push_back(page.id);
    auto done = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) -> Status {
      if (announced_) TRY(check_announced(attempt.transaction));
      attempt.transaction.put(build_key_, row.encode());
      return queue_pages(attempt.transaction, discarded_);
    });
    TRY(std::move(done));
    announced_ = true;
    discarded_.clear();
    return {};
  }

  /// Validates that nobody declared this publish dead.
  Status check_announced(kv::Transaction& transaction) {
    ASSIGN_OR_RETURN(auto row, transaction.get(build_key_));
    if (row) return {};
    undone_ = true;
    return error(Code::kFenced, "the publish of inode {} was undone by others", change_.inode.value);
  }

  Status queue_pages(kv::Transaction& transaction, const std::vector<PageId>& pages) {
    QueueRow row;
    row.inode = change_.inode;
    row.pages = pages;
    return queue_content(volume_, transaction, row, true);
  }

  Status build_pages() {
    for (auto& planned : planned_) {
      const auto index = planned.first;
      auto& page = planned.second;
      if (page.written) continue;
      const std::vector<Claim> claims =
          claims_of(content_.chunks, content_.size, index * limits::kPageChunkIds, page.chunks.size());
      ToUpload to_upload;
      auto done = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) -> Status {
        to_upload.clear();
        TRY(check_announced(attempt.transaction));
        TRY(claim_chunks(volume_, attempt.transaction, claims, offer_, to_upload));
        write_page(attempt.transaction, page, claims);
        return {};
      });
      TRY(std::move(done));
      page.written = true;
      published_.to_upload.insert(published_.to_upload.end(), to_upload.begin(), to_upload.end());
    }
    return {};
  }

  void write_page(kv::Transaction& transaction, const Planned& page, const std::vector<Claim>& claims) {
    const Bytes reference = ReferenceRow().encode();
    for (const Claim& claim : claims)
      transaction.put(keys::reference(claim.id, keys::OwnerKind::kPage, page.id.value), reference);
    transaction.put(keys::page(page.id), PageRow{change_.inode, volume_.node(), serial_, page.chunks}.encode());
  }

  Result<Step> switch_inode() {
    bool base_changed = false;
    auto earlier = run_transaction(volume_, request_, [&](Attempt& attempt) -> Status {
      ASSIGN_OR_RETURN(Inode base, read_inode(attempt.transaction, change_.inode));
      base_changed = base.generation != base_.generation;
      if (base_changed) return error(Code::kRange, "inode {} has other content by now", change_.inode.value);
      TRY(check_not_fenced(attempt, change_, base));
      if (announced_) {
        TRY(check_announced(attempt.transaction));
        attempt.transaction.erase(build_key_);
      }
      ASSIGN_OR_RETURN(published_.inode,
                       switch_content(volume_, attempt.transaction, base, content_, pages_, change_.attributes));
      return {};
    });
    if (base_changed) return Step::kBaseChanged;
    if (!earlier) return Failure(std::move(earlier).error());
    if (*earlier) {
      ASSIGN_OR_RETURN(published_, rebuild_published(volume_, change_, offer_));
      return Step::kDone;
    }
    announced_ = false;
    auto& to_upload = published_.to_upload;
    std::sort(to_upload.begin(), to_upload.end());
    to_upload.erase(std::unique(to_upload.begin(), to_upload.end()), to_upload.end());
    return Step::kDone;
  }

  /// What was written is of no use: lets the collector have it.
  void abandon() {
    std::vector<PageId> pages = discarded_;
    for (const auto& [index, page] : planned_) pages.push_back(page.id);
    auto status = run_transaction(volume_, RequestId{}, [&](Attempt& attempt) -> Status {
      TRY(check_announced(attempt.transaction));
      attempt.transaction.erase(build_key_);
      return queue_pages(attempt.transaction, pages);
    });
    if (!status && status.error().code != Code::kFenced)
      log::warning("pages of a failed publish stay until the next mount: {}", status.error().what);
  }

  Volume& volume_;
  const RequestId request_;
  const Publish& change_;
  const Offer& offer_;
  const uint64_t serial_;
  const Bytes build_key_;
  bool announced_ = false;  // the `B` row may be there
  bool undone_ = false;     // it is not any more

  Inode base_;
  WholeContent content_;
  std::vector<PageId> pages_;          // of the content
  std::map<size_t, Planned> planned_;  // those of them that are new, by place
  std::vector<PageId> discarded_;      // of plans before
  Published published_;
};

}  // namespace

Result<std::optional<Published>> publish_pages(Volume& volume, RequestId request, const Publish& change,
                                               const Offer& offer) {
  ASSIGN_OR_RETURN(uint64_t serial, volume.new_serial());
  return PagedPublish(volume, request, change, offer, serial).run();
}

}  // namespace weir::meta
