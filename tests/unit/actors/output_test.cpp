// Programs' output, their commands and environments, and the board of signals.
#include "actors/output.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "actors/actor.hpp"
#include "actors/program.hpp"
#include "system/error.hpp"
#include "system/process.hpp"

namespace lab::actors {
namespace {

class Output : public testing::Test {
 protected:
  Output() : pipe_(sys::make_pipe()), stream_(std::move(pipe_.read)) {}
  void write(const std::string& text) {
    ASSERT_EQ(::write(pipe_.write.get(), text.data(), text.size()), static_cast<ssize_t>(text.size()));
    stream_.drain([this](std::string line) { lines_.push_back(std::move(line)); });
  }
  void finish() {
    pipe_.write.reset();
    stream_.finish([this](std::string line) { lines_.push_back(std::move(line)); });
  }

  sys::Pipe pipe_;
  Stream stream_;
  std::vector<std::string> lines_;
};

TEST_F(Output, ComesInWholeLines) {
  write("one\ntw");
  EXPECT_THAT(lines_, testing::ElementsAre("one"));
  write("o\n\nthr");
  EXPECT_THAT(lines_, testing::ElementsAre("one", "two", ""));
  finish();
  EXPECT_THAT(lines_, testing::ElementsAre("one", "two", "", "thr"));
  EXPECT_EQ(stream_.descriptor(), -1);
}

TEST_F(Output, ReadingNeverBlocks) {
  stream_.drain([](std::string) { FAIL(); });
  EXPECT_GE(stream_.descriptor(), 0);
}

TEST_F(Output, KeepsTheBeginningAndTheEnd) {
  const std::string block(1023, 'a');
  for (int i = 0; i < 1000; ++i) write(block + "\n");
  write("last\n");
  finish();
  std::size_t size = 0;
  for (const auto& line : lines_) size += line.size() + 1;
  EXPECT_GT(size, 128U * 1024);
  EXPECT_LT(size, 129U * 1024);
  EXPECT_EQ(lines_.front(), block);
  EXPECT_EQ(lines_.back(), "last");
  EXPECT_THAT(lines_, testing::Contains("[… " + std::to_string(1000 * 1024 + 5 - 128 * 1024) + " bytes left out …]"));
}

TEST_F(Output, ALineWithoutEndIsCut) {
  write(std::string(10'000, 'y'));
  EXPECT_THAT(lines_, testing::ElementsAre(std::string(4096, 'y'), std::string(4096, 'y')));
  finish();
  EXPECT_EQ(lines_.back().size(), 10'000U - 8192);
}

TEST(Command, PathsStayAndNamesAreSearched) {
  scenario::Actor actor;
  const Context context;
  EXPECT_THAT(command_of({"./x", "a"}, actor, context), testing::ElementsAre("./x", "./x", "a"));
  EXPECT_THAT(command_of({"sh"}, actor, context), testing::ElementsAre(testing::EndsWith("/sh"), "sh"));
  EXPECT_THAT(command_of({"no-such-program"}, actor, context), testing::ElementsAre("", "no-such-program"));
  actor.env["PATH"] = "/nowhere";
  EXPECT_THAT(command_of({"sh"}, actor, context), testing::ElementsAre("", "sh"));
  EXPECT_TRUE(command_of({}, actor, context).empty());
}

TEST(Command, EnvironmentOfEachRole) {
  scenario::Actor actor;
  actor.role = scenario::Role::proxy;
  actor.listen = scenario::Endpoint{"127.0.0.1", 81};
  actor.env = {{"LAB_ROLE", "mine"}};
  const auto all = environment_of(actor, {{"127.0.0.1", 80}, ""});
  EXPECT_THAT(all,
              testing::IsSupersetOf({"LAB_HOST=127.0.0.1", "LAB_PORT=80", "LAB_LISTEN=127.0.0.1:81", "LAB_ROLE=mine"}));
  EXPECT_THAT(all, testing::Contains(testing::StartsWith("LAB_ROLE=")).Times(1));
  EXPECT_THAT(all, testing::Contains(testing::StartsWith("PATH=")));
}

TEST(Signals, PassBetweenProcessesAndStaySet) {
  Board board;
  board.declare("there");
  board.declare("back");
  board.declare("back");
  const pid_t child = ::fork();
  if (child == 0) {
    board.wait("there");
    board.signal("back");
    ::_exit(0);
  }
  board.signal("there");
  board.wait("back");
  board.wait("back");
  EXPECT_TRUE(board.is_set("there"));
  EXPECT_FALSE(board.is_set("elsewhere"));
  ::waitpid(child, nullptr, 0);
  board.clear();
  EXPECT_FALSE(board.is_set("there"));
}

TEST(Signals, NamesHaveBounds) {
  Board board;
  EXPECT_THROW(board.declare(""), sys::LabError);
  EXPECT_THROW(board.declare(std::string(60, 'n')), sys::LabError);
  board.declare(std::string(59, 'n'));
  board.signal(std::string(59, 'n'));
  EXPECT_THROW(board.signal("undeclared"), sys::LabError);
  for (int i = 0; i < 1023; ++i) board.declare("name " + std::to_string(i));
  EXPECT_THROW(board.declare("one too many"), sys::LabError);
}

}  // namespace
}  // namespace lab::actors
