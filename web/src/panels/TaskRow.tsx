// One task, with what can be done to it at once. A change shows before the server confirms it, and is taken back when
// the server refuses.
import { useMutation } from "@tanstack/react-query";
import { useI18n } from "../i18n/i18n.tsx";
import type { Brain } from "../live/brain.ts";
import { Problem } from "../live/client.ts";
import { useLive } from "../live/context.tsx";
import { newId } from "../session/ids.ts";
import { Icon } from "../ui/Icon.tsx";
import { Trash } from "../ui/Trash.tsx";
import { useNotify } from "../ui/notify.tsx";
import type { Task } from "../wire.ts";
import { useIsOver } from "./lists.ts";
import { repeats } from "./repeats.ts";

export function useTaskChange(task: Task) {
  const live = useLive();
  const notify = useNotify();
  return useMutation({
    mutationFn: (action: "complete" | "reopen" | "delete") =>
      live.client.json<Task | { deleted: true }>("/api/v1/tasks", {
        method: "POST",
        body: { action, task: { id: task.id } },
        key: newId("k"),
      }),
    onMutate: (action) => {
      const status: Task["status"] = action === "complete" ? "done" : "open";
      const shown = action === "delete" ? undefined : { ...task, status };
      live.change((brain) => ({ ...brain, tasks: withTask(brain.tasks, task.id, shown) }));
      return { before: task, shown }; // for `onError`, whose own `task` is what is shown by then
    },
    onError: (error, _, change) => {
      // What the stream brought since is newer, and a task that the server does not know is not brought back.
      const isGone = error instanceof Problem && error.status === 404;
      if (change !== undefined) {
        live.change((brain) =>
          brain.tasks[change.before.id] === change.shown
            ? { ...brain, tasks: withTask(brain.tasks, change.before.id, isGone ? undefined : change.before) }
            : brain,
        );
      }
      notify(error);
    },
    onSuccess: (answer) => {
      if ("id" in answer && "title" in answer) {
        live.change((brain) => ({ ...brain, tasks: withAnswer(brain, answer) }));
      }
    },
  });
}

function withTask(tasks: Brain["tasks"], id: string, task: Task | undefined): Brain["tasks"] {
  const { [id]: _, ...others } = tasks;
  return task === undefined ? others : { ...others, [id]: task };
}

/** Where the stream has told all that the answer tells, the task may have been changed again, or deleted. */
export const withAnswer = (brain: Brain, task: Task): Brain["tasks"] =>
  task.version > brain.version ? withTask(brain.tasks, task.id, task) : brain.tasks;

export function TaskRow({ task }: { task: Task }) {
  const { t } = useI18n();
  const change = useTaskChange(task);
  const done = task.status === "done";
  const isReminder = task.due?.includes("T") ?? false;
  const isLate = useIsOver(task.dueAt) && !done;
  return (
    <div className={`task ${task.status}${change.isPending ? " pending" : ""}`} data-task={task.id}>
      <label>
        <input
          type="checkbox"
          checked={done}
          onChange={() => change.mutate(done ? "reopen" : "complete")}
          aria-label={t(done ? "reopenTask" : "completeTask", { title: task.title })}
        />
        <span className="task-title">{task.title}</span>
      </label>
      <Trash label={t("deleteTask", { title: task.title })} onDelete={() => change.mutate("delete")} />
      {(task.due !== null || task.tags.length > 0 || task.priority === "high") && (
        <p className="about">
          {task.due !== null && (
            <span className={isLate ? "due late" : "due"}>
              {isReminder && <Icon name="bell" />}
              {isReminder ? t.date(task.due) : t.day(task.due)}
              {isLate && ` · ${t("late")}`}
            </span>
          )}
          {task.recurrence !== null && (
            <span className="due">
              <Icon name="redo" />
              {repeats(t, task.recurrence)}
            </span>
          )}
          {task.priority === "high" && <span className="tag high">{t("priority_high")}</span>}
          {task.tags.map((tag) => (
            <span key={tag} className="tag">
              {tag}
            </span>
          ))}
        </p>
      )}
    </div>
  );
}
