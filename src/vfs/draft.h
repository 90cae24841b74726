#pragma once

#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/result.h"
#include "cache/cache.h"
#include "meta/content.h"
#include "vfs/small_bytes.h"
#include "vfs/version.h"

namespace weir::vfs {

/// Chunks that a change needs and that were brought before it, outside of locks; by index.
struct GivenChunk {
  ChunkId id;
  Fetcher::Shared bytes;
};
using Given = std::map<uint64_t, GivenChunk>;

/// The unpublished content of one file: in memory up to limits::kSmallContentBytes, beyond that in a staging file that
/// holds the chunks which changed, over the version that they changed. Thread rule: the file's mutex.
class Draft {
 public:
  /// Where a draft keeps its bytes, and whose they are.
  struct Place {
    cache::Cache& cache;
    SharedMemory& memory;
    InodeId inode;
    uint64_t fencings = 0;  // as fencings()
  };
  /// Of a draft that was not begun over what is published now: others may have published since.
  static constexpr uint64_t kOfAnotherLife = UINT64_MAX;

  /// A change of `base`. Requires: a base without an image has its bytes at hand (Version::is_local).
  static Result<std::unique_ptr<Draft>> over(Place place, std::shared_ptr<Version> base, uint64_t base_generation);
  /// A change of the file of `base`'s image itself, for readers to whom the kernel shows that file: what is written
  /// here they see at once (docs/kernel-channel.md, "Open modes"). Its bytes are copied when they are published, and it
  /// goes on until there are no such readers. Requires: the image is complete.
  static Result<std::unique_ptr<Draft>> live_over(Place place, std::shared_ptr<Version> base, uint64_t base_generation);
  /// Goes on with what an earlier life staged or sealed. Takes the staging file only if it succeeds; Corrupt: the
  /// record is malformed.
  static Result<std::unique_ptr<Draft>> recovered(Place place, cache::Recovered& recovered,
                                                  std::shared_ptr<Version> base);

  /// Goes on with what a predecessor noted, in the slot where it did: staged, or small. Take the slot only if they
  /// succeed.
  static Result<std::unique_ptr<Draft>> resumed(Place place, SlotId slot, const StagedDraftRecord& noted,
                                                cache::Recovered& recovered, std::shared_ptr<Version> base,
                                                uint64_t generation);
  static std::unique_ptr<Draft> resumed(Place place, SlotId slot, const SmallDraftRecord& noted,
                                        std::shared_ptr<Version> base);
  ~Draft();

  uint64_t size() const { return size_; }
  uint64_t base_generation() const { return base_generation_; }
  /// meta::Membership::fencings of when it was begun.
  uint64_t fencings() const { return fencings_; }
  /// Something was changed that is not published.
  bool changed() const { return changed_; }
  int64_t mtime_ns() const { return mtime_ns_; }
  void set_mtime_ns(int64_t mtime_ns);

  // Attributes that were set while there was something unpublished travel with it (draft_attributes.cc).
  /// Takes a change in, for itself and for a successor. False: a successor could not be told, so it has to be committed
  /// at once. Requires: changed(); `change` has no mtime, which is the content's.
  bool carry(const meta::AttributeChange& change);
  /// Nothing set: none. ctime is when they were set.
  const meta::AttributeChange& carried() const { return carried_; }
  bool carries() const { return carried_.ctime_ns.has_value(); }
  /// They are committed, and nobody may apply them again, after a power loss neither.
  Status drop_carried();
  /// Goes on with what a predecessor noted, and takes the slot.
  void resume_carried(SlotId slot, const CarriedRecord& noted);

  /// All of it is in memory.
  bool in_memory() const { return pieces_.empty() && staging_ == nullptr; }

  /// The first chunk whose bytes must be in `given` before [offset, offset + count) can be written, or read.
  std::optional<uint64_t> needed_to_write(uint64_t offset, uint64_t count, const Given& given) const;
  std::optional<uint64_t> needed_to_truncate(uint64_t size, const Given& given) const;
  std::optional<uint64_t> needed_to_zero(uint64_t offset, uint64_t length, bool keep_size, const Given& given) const;
  std::optional<uint64_t> needed_to_read(uint64_t offset, uint64_t count, const Given& given) const;
  ChunkId chunk_id(uint64_t index) const { return pieces_[index].id; }
  /// Length of the stored chunk that piece `index` stands for.
  uint64_t stored_length(uint64_t index) const;

  /// Requires for all three: nothing is needed any more. On an error the content is as before, or changed in part as a
  /// failed write(2) may leave it.
  Status write(uint64_t offset, std::string_view bytes, const Given& given);
  Status truncate(uint64_t size, const Given& given);
  /// An empty file that is rewritten: what others publish from now on is not what it is written over.
  void rewrite() { changed_ = changed_ || (in_memory() && size_ == 0); }
  /// Makes a range read as zeros; grows the file unless `keep_size`.
  Status zero(uint64_t offset, uint64_t length, bool keep_size, const Given& given);
  /// After a change that made it longer could not be noted: ends at `size` again, if it is longer.
  Status take_back_growth(uint64_t size);
  /// Requires: the range ends within the size.
  Status read(uint64_t offset, std::span<char> buffer, const Given& given) const;
  /// Makes chunk `index` the chunk `id`, which a live file names. Requires: can_share().
  Status share(uint64_t index, const ChunkId& id, uint64_t length, const Given& given);
  bool can_share(uint64_t offset, uint64_t length) const;
  /// The first chunk that was shared and that this node does not bring.
  std::optional<uint64_t> first_shared() const;
  /// This node brings chunk `index` from now on. Requires: nothing is needed to read it.
  Status bring(uint64_t index, const Given& given) { return own(index, limits::kChunkBytes, given); }
  /// First offset >= `offset` that is data (or a hole), in chunks; nothing when there is none before the end.
  std::optional<uint64_t> seek(uint64_t offset, bool data) const;
  uint64_t allocated_bytes() const;

  // Hashing. A chunk whose serial moved on was changed meanwhile.
  struct HashTask {
    uint64_t index = 0;
    uint64_t length = 0;
    uint64_t serial = 0;
    FileDescriptor fd;  // of its own, so that it may outlive the staging file
  };
  /// The chunk that the last write completed, if it should be hashed now. It counts as being hashed until hashed().
  std::optional<HashTask> take_completed();
  /// All changed chunks that have no id yet, those that are being hashed only on request.
  std::vector<HashTask> take_unhashed(bool being_hashed_too);
  /// Ends a task; without an id it failed.
  void hashed(const HashTask& task, const std::optional<ChunkId>& id);
  /// Chunk `index`, which has its id, may go to the store before it is published. True once for each chunk, since what
  /// is changed again and again would be sent as often; false below a size, where most files are temporary or closed
  /// soon.
  bool take_early(uint64_t index, uint64_t least_bytes);
  bool has_unhashed() const;
  /// Some chunk that was changed before `serial` is being hashed.
  bool is_hashing(uint64_t before_serial) const;
  /// Serials of later changes, of all drafts, are this or more.
  static uint64_t next_serial();

  // Publishing.
  /// Brings content that is small, but was staged, back to memory.
  Status settle(const Given& given);
  /// Requires: in_memory().
  std::string_view memory() const { return memory_.view(); }
  /// Gives the staged chunks to the cache as (part of) an image; rebase() follows. Requires: !in_memory(),
  /// !has_unhashed().
  Result<std::shared_ptr<cache::Image>> seal();
  /// Reads what was sealed from `sealed` from now on.
  void rebase(std::shared_ptr<Version> sealed);
  /// The changes relative to the base generation. Requires: !in_memory(), sealed.
  std::vector<meta::ChangedChunk> changes() const { return chunks(replaces_); }
  bool replaces() const { return replaces_; }
  /// The same for all chunks, changed or not.
  std::vector<meta::ChangedChunk> all_chunks() const { return chunks(true); }

  // Live drafts (live_draft.cc). Requires for all: live().
  bool live() const { return live_; }
  /// Stores into its file may come that nobody is told of.
  void set_mapped() {
    mapped_ = true;
    pieces_noted_ = false;
  }
  bool mapped() const { return mapped_; }
  /// True, and from now on not mapped() any more, if no writable mapping is left.
  bool end_mapping();
  /// Compares every chunk with its id: what was stored through a mapping counts as changed. Reads all of the file.
  Status find_stores();
  /// The changed chunks, copied and hashed as they are now, as (part of) an image of the cache.
  Result<std::shared_ptr<cache::Image>> seal_copy();
  /// What was changed until now is published as `version`.
  Status published(std::shared_ptr<Version> version, uint64_t generation, uint64_t fencings);
  /// Gives the file to the cache as the image of what is published, for the end of the draft. Requires: !changed(),
  /// !mapped(), an image's size. Busy: the draft goes on, see Cache::give_back().
  Status give_back();

  // Surviving. Format of the record: docs/formats.md, "Staging record".
  /// A successor of this process goes on with the draft as it is now. After every change. Moves bytes to a staging file
  /// when there is no room for them in the shared memory.
  Status note();
  /// A later life can go on with the draft as it is now; power loss after the staging file and the journal are synced.
  /// Whatever happens to the draft from now on, what a later life finds is no older. Requires: staging() != nullptr.
  Status save_record(InodeId inode);
  /// The draft ends unpublished, and a later life goes on with it.
  Status keep(InodeId inode);
  cache::Staging* staging() { return staging_.get(); }

  struct RecordHead {
    InodeId inode;
    uint64_t base_generation = 0;
    bool live = false;
  };
  static Result<RecordHead> head_of_record(std::string_view record);
  Bytes encode_record(InodeId inode) const;

  /// What a later life would go on with, although the draft is published: to be dropped when the publish is safe
  /// against power loss.
  struct Leftovers {
    std::vector<uint64_t> sealed;  // ids of staging files with a record
    std::vector<std::unique_ptr<cache::Staging>> staged;
  };
  Leftovers take_leftovers() { return std::move(leftovers_); }

 private:
  enum class Source : uint8_t { kHole = 1, kOwn = 2, kElsewhere = 3 };
  struct Piece {
    ChunkId id;           // valid if hashed, and always for kElsewhere
    uint64_t serial = 0;  // new at every change, in all drafts
    Source source = Source::kHole;
    bool hashed = false;
    bool hashing = false;  // as it is at this serial
    bool changed = false;  // against the published content
    bool brought = false;  // this node made these bytes, and must upload them
    bool early = false;    // it was offered to the uploader
  };

  Draft(Place place, std::shared_ptr<Version> base, uint64_t base_generation)
      : cache_(place.cache),
        inode_(place.inode),
        base_(std::move(base)),
        base_generation_(base_generation),
        fencings_(place.fencings),
        slots_(place.memory.drafts()),
        memory_(place.memory) {}
  std::vector<meta::ChangedChunk> chunks(bool unchanged_too) const;
  /// Where the bytes of a piece are to be read: what was a hole may hold stores through a mapping.
  Source source_seen(const Piece& piece) const;
  Status leave_memory();
  Status enter_memory(uint64_t size, const Given& given);
  Status open_staging();
  bool is_at_hand(uint64_t index, const Given& given) const;
  Status read_elsewhere(uint64_t index, uint64_t within, std::span<char> buffer, const Given& given) const;
  /// The chunk's bytes are in staging afterwards, the first `keep` of them at least.
  Status own(uint64_t index, uint64_t keep, const Given& given);
  /// Leaves the size of the staging file to who writes up to the new end.
  Status resize_pieces(uint64_t size, const Given& given);
  Status fit_pieces(uint64_t size, const Given& given);
  /// After a change of it failed: the piece is where it was, and the staging file holds nothing in place of it.
  Status put_back(uint64_t index, const Piece& before);
  Status resize(uint64_t size, const Given& given);
  /// Before bytes that a saved record speaks of are taken away: it must not speak of them any more.
  Status renew_record();
  Status renew_records();
  Status save_handover();
  SmallDraftRecord small_record() const;
  void forget_slot();
  void forget_carried();
  Bytes encode(InodeId inode, bool with_carried) const;
  void encode_carried(Encoder& encoder) const;
  void decode_carried(Decoder& decoder);
  static Result<std::unique_ptr<Draft>> decoded(Place place, std::string_view record, const Manifest* sealed,
                                                std::shared_ptr<Version> base);
  void adopt(cache::Recovered& recovered);
  void resume_live(uint64_t generation);
  Status decode_pieces(Decoder& decoder, const Manifest* sealed);
  void touch(uint64_t index);
  static constexpr uint64_t kNone = ~uint64_t{0};

  cache::Cache& cache_;
  const InodeId inode_;
  std::shared_ptr<Version> base_;
  uint64_t base_generation_;
  uint64_t fencings_;
  uint64_t size_ = 0;
  int64_t mtime_ns_ = 0;
  bool changed_ = false;
  bool replaces_ = false;
  bool live_ = false;
  bool mapped_ = false;
  bool pieces_noted_ = false;   // the handover record says where all bytes are
  std::optional<SlotId> slot_;  // what a successor must know of a staged draft
  meta::AttributeChange carried_;
  std::optional<SlotId> carried_slot_;
  SlotTable& slots_;
  SmallBytes memory_;
  std::vector<Piece> pieces_;
  std::unique_ptr<cache::Staging> staging_;
  InodeId recorded_for_;  // 0: there is no record of staging_
  Leftovers leftovers_;
  uint64_t completed_ = kNone;  // chunk to whose end the writer came
};

}  // namespace weir::vfs
