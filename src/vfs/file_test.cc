#include "vfs/file.h"

#include <gtest/gtest.h>

namespace weir::vfs {
namespace {

constexpr InodeId kInode{7};

KernelNode node(uint16_t epoch) { return KernelNode::of(kInode, epoch); }

TEST(FileTableTest, a_superseded_file_stays_for_its_node_ids_as_long_as_it_has_users) {
  FileTable table;
  FileRef old = table.acquire(kInode);
  FileRef current = table.supersede(*old, 3);
  EXPECT_NE(old.shared(), current.shared());
  EXPECT_EQ(table.supersede(*old, 4).shared(), current.shared());
  EXPECT_EQ(table.acquire(kInode).shared(), current.shared());
  for (const uint16_t epoch : {0, 2}) EXPECT_EQ(table.find(node(epoch)).shared(), old.shared());
  for (const uint16_t epoch : {3, 9}) EXPECT_EQ(table.find(node(epoch)).shared(), current.shared());
  EXPECT_FALSE(table.is_current(*old));
  EXPECT_EQ(table.all_of(kInode).size(), 2u);

  // The kernel was told of the new one already.
  const File* const told = &*current;
  EXPECT_FALSE(current.reset().of_inode);
  EXPECT_EQ(&*table.acquire(kInode), told);
  const FileRef::Last last = old.reset();
  EXPECT_TRUE(last.of_file);
  EXPECT_TRUE(last.of_inode);
  EXPECT_FALSE(table.in_use(kInode));
}

TEST(FileTableTest, the_last_user_of_an_inode_may_be_of_any_of_its_files) {
  FileTable table;
  FileRef old = table.acquire(kInode);
  FileRef current = table.supersede(*old, 1);
  const FileRef::Last last_of_old = old.reset();
  EXPECT_TRUE(last_of_old.of_file);
  EXPECT_FALSE(last_of_old.of_inode);
  EXPECT_EQ(table.find(node(0)).shared(), current.shared());
  EXPECT_EQ(table.users(kInode), 1u);
  EXPECT_TRUE(current.reset().of_inode);
}

TEST(FileTableTest, a_predecessors_files_come_back_in_any_order) {
  for (const std::vector<uint16_t>& order : {std::vector<uint16_t>{0, 2, 5}, {5, 0, 2}, {2, 5, 0}, {5, 2, 0}}) {
    FileTable table;
    std::vector<FileRef> files;
    for (const uint16_t first : order) files.push_back(table.restore(kInode, first));
    for (size_t i = 0; i < order.size(); ++i) {
      EXPECT_EQ(files[i]->first_epoch, order[i]);
      EXPECT_EQ(table.restore(kInode, order[i]).shared(), files[i].shared());
      EXPECT_EQ(table.find(node(order[i])).shared(), files[i].shared());
      EXPECT_EQ(table.is_current(*files[i]), order[i] == 5);
    }
    EXPECT_EQ(table.find(node(4))->first_epoch, 2);
    EXPECT_EQ(table.users(kInode), 3u);
  }
}

}  // namespace
}  // namespace weir::vfs
