// All tasks: open ones by due time, then what was done lately. A new one shows before the server confirms it.
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { useBrain, useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Task } from "../wire.ts";
import { TaskRow, withAnswer } from "./TaskRow.tsx";

const tasksOf = (brain: Brain) => brain.tasks;
const DONE_SHOWN = 20;

interface Draft {
  key: string;
  title: string;
  due: string | null;
  /** Ids of the tasks that were there before: an older one of the same title is not this one. */
  before: ReadonlySet<string>;
}

export function Tasks() {
  const { t } = useI18n();
  const tasks = useBrain(tasksOf);
  const { create, drafts } = useNewTask(tasks);
  const [open, done] = useMemo(() => {
    const all = Object.values(tasks);
    const when = (task: Task) => `${task.due ?? "9"} ${task.createdAt}`;
    const isBefore = (a: Task, b: Task) => (when(a) < when(b) ? -1 : 1);
    return [
      all.filter((task) => task.status === "open").sort(isBefore),
      all
        .filter((task) => task.status === "done")
        .sort((a, b) => b.version - a.version)
        .slice(0, DONE_SHOWN),
    ];
  }, [tasks]);
  return (
    <>
      <NewTask onCreate={create} />
      {open.length + drafts.length === 0 && <p className="quiet">{t("noTasks")}</p>}
      <ul className="tasks">
        {drafts.map((draft) => (
          <li key={draft.key} className="task open pending">
            <label>
              <input type="checkbox" disabled aria-label={draft.title} />{" "}
              <span className="task-title">{draft.title}</span>
            </label>
          </li>
        ))}
        {open.map((task) => (
          <li key={task.id}>
            <TaskRow task={task} />
          </li>
        ))}
      </ul>
      {done.length > 0 && (
        <details>
          <summary>{t("doneTasks", { count: done.length })}</summary>
          <ul className="tasks">
            {done.map((task) => (
              <li key={task.id}>
                <TaskRow task={task} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function useNewTask(tasks: Record<string, Task>) {
  const live = useLive();
  const notify = useNotify();
  const [drafts, setDrafts] = useState<Draft[]>([]);
  const { mutate } = useMutation({
    mutationFn: (draft: Draft) => {
      const task = { title: draft.title, ...(draft.due === null ? {} : { due: draft.due }) };
      return live.client.json<Task>("/api/v1/tasks", {
        method: "POST",
        body: { action: "create", task },
        key: draft.key,
      });
    },
    onMutate: (draft) => setDrafts((known) => [...known, draft]),
    onSuccess: (task) => live.change((brain) => ({ ...brain, tasks: withAnswer(brain, task) })),
    onError: (error) => notify(error),
    onSettled: (_, __, draft) => setDrafts((known) => known.filter(({ key }) => key !== draft.key)),
  });
  // The event of a new task may come before the answer of its command: then the task itself is shown.
  const waiting = drafts.filter(
    ({ title, before }) => !Object.values(tasks).some((task) => task.title === title && !before.has(task.id)),
  );
  const create = (title: string, due: string | null) =>
    mutate({ key: newId("k"), title, due, before: new Set(Object.keys(tasks)) });
  return { drafts: waiting, create };
}

function NewTask({ onCreate }: { onCreate: (title: string, due: string | null) => void }) {
  const { t } = useI18n();
  const [title, setTitle] = useState("");
  const [due, setDue] = useState("");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (title.trim() === "") return;
    onCreate(title.trim(), due === "" ? null : due);
    setTitle("");
    setDue("");
  };
  return (
    <form className="new-task" onSubmit={submit}>
      <input
        aria-label={t("newTask")}
        placeholder={t("newTask")}
        value={title}
        maxLength={500}
        onChange={(e) => setTitle(e.target.value)}
      />
      <input aria-label={t("due")} type="date" value={due} onChange={(e) => setDue(e.target.value)} />
      <button type="submit" className="icon primary" aria-label={t("addTask")} disabled={title.trim() === ""}>
        <Icon name="plus" />
      </button>
    </form>
  );
}
