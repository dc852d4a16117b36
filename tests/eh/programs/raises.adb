--  Exceptions with finalization, re-raised, in tasks; tasks that are aborted; constraint errors from the hardware.
with Ada.Text_IO; use Ada.Text_IO;
with Ada.Exceptions; use Ada.Exceptions;
with Ada.Finalization;

procedure Raises is
   type Noisy is new Ada.Finalization.Limited_Controlled with record
      Number : Integer := 0;
   end record;
   overriding procedure Finalize (Object : in out Noisy);
   overriding procedure Finalize (Object : in out Noisy) is
   begin
      Put_Line ("  finalize" & Object.Number'Image);
   end Finalize;

   Mine : exception;

   function Descend (Depth : Integer) return Integer is
      Guard : Noisy;
   begin
      Guard.Number := Depth;
      if Depth = 0 then
         raise Mine with "bottom";
      end if;
      return Descend (Depth - 1) + Depth;
   end Descend;

   procedure Again is
      Guard : Noisy;
   begin
      Guard.Number := 100;
      Put_Line (Descend (3)'Image);
   exception
      when E : Mine =>
         Put_Line ("again " & Exception_Message (E));
         raise;
   end Again;

   type Pointer is access all Integer;
   Null_Pointer : Pointer := null;
   pragma Volatile (Null_Pointer);
   Zero : Integer := 0;
   pragma Volatile (Zero);

   task type Worker (Number : Integer) is
      entry Go;
   end Worker;
   task body Worker is
      Caught : Integer := 0;
   begin
      accept Go;
      for I in 1 .. 50 loop
         begin
            if I mod 2 = 0 then
               raise Mine;
            end if;
         exception
            when Mine => Caught := Caught + 1;
         end;
      end loop;
      if Caught /= 25 then
         Put_Line ("wrong" & Caught'Image & Number'Image);
      end if;
   end Worker;

   procedure Tasks is
      W1 : Worker (1);
      W2 : Worker (2);
      W3 : Worker (3);
   begin
      W1.Go; W2.Go; W3.Go;
   end Tasks;

   procedure Aborts is
      task Sleeper;
      task body Sleeper is
         Guard : Noisy;
      begin
         Guard.Number := 200;
         delay 100.0;
      end Sleeper;
   begin
      delay 0.05;
      abort Sleeper;
   end Aborts;

   procedure Select_Aborts is
   begin
      select
         delay 0.05;
         Put_Line ("too late");
      then abort
         declare
            Guard : Noisy;
         begin
            Guard.Number := 300;
            delay 100.0;
         end;
      end select;
   end Select_Aborts;
begin
   for Depth in 0 .. 3 loop
      begin
         Put_Line (Descend (Depth)'Image);
      exception
         when E : others => Put_Line (Exception_Name (E) & ": " & Exception_Message (E));
      end;
   end loop;
   begin
      Again;
   exception
      when Mine => Put_Line ("and again");
   end;
   begin
      Put_Line (Integer'Image (Null_Pointer.all));
   exception
      when E : others => Put_Line (Exception_Name (E));
   end;
   begin
      Put_Line (Integer'Image (1 / Zero));
   exception
      when E : others => Put_Line (Exception_Name (E));
   end;
   Tasks;
   Aborts;
   Select_Aborts;
   raise Mine with "nobody handles this";
end Raises;
